"""Ten thousand targets in two hundred groups: a reload must not keep the loop from everybody else."""

import json

import pytest

from support.process import free_port, wait_until

GROUPS, TARGETS = 200, 50

# What a reload may take of the loop, and one turn of it; the machine of a test is busy with others.
LOOP_S, TURN_S = 0.2, 0.01
SLACK = 5

# Asks next to nobody, so that it is not the scrape that is measured.
NUMBERS = "/metrics?collect[]=telemetry&shard=0/4096"


def fleet(port, changed=0, label="a"):
    """So many groups have another first target."""
    def targets(group):
        first = 2 if group < changed else 1
        return [f"127.{first if n == 1 else 1}.{group}.{n}:{port}" for n in range(1, TARGETS + 1)]

    return [{"name": f"g{group}", "labels": {"label": label}, "targets": targets(group)} for group in range(GROUPS)]


@pytest.fixture
def configured(tmp_path, exporter):
    file = tmp_path / "exporter.yml"
    port = free_port()
    file.write_text(json.dumps({"groups": fleet(port)}), encoding="utf-8")
    started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None, release=True)

    def reload(**how):
        file.write_text(json.dumps({"groups": fleet(port, **how)}), encoding="utf-8")
        assert started.get("/-/reload", method="POST").status == 200

    started.reload = reload
    return started


def loop_s(started):
    """What the loop's thread has had of the processor; the file is read by another."""
    with open(f"/proc/{started.pid}/task/{started.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def long_turns(started):
    exposition = started.exposition(NUMBERS)
    name = "memcached_exporter_event_loop_lag_seconds"
    return int(exposition.value(f"{name}_count")) - int(exposition.value(f"{name}_bucket", le=f"{TURN_S * SLACK:g}"))


def test_whoever_comes_first_finds_all_targets(configured):
    assert configured.get("/sd").text.count("127.1.") == GROUPS * TARGETS


def test_reload_of_a_large_fleet(configured):
    turns, reloads = long_turns(configured), 0
    for how in ({"changed": 20}, {}, {"label": "b"}, {"changed": GROUPS, "label": "b"}, {}, {"changed": 1}):
        before = loop_s(configured)
        configured.reload(**how)
        assert loop_s(configured) - before < LOOP_S * SLACK
        assert configured.get("/sd").text.count("127.2.") == how.get("changed", 0)
        reloads += 1
    # Once in a while another process has the processor for so long.
    assert long_turns(configured) - turns < reloads / 2
