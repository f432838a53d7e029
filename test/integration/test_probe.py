"""Probes: what a client of a server would see, asked for by --collector.probe alone."""

import os
import re
import signal
import threading

import pytest

from support.fake import reply, storing

KEY = r"memcached_fleet_exporter:probe:[0-9a-f]{16}"


def durations(exposition, group=None):
    """{operation: how often it was timed}"""
    return {dict(labels)["operation"]: int(value) for (name, labels), value in exposition.samples.items()
            if name == "memcached_probe_duration_seconds_count" and group in (None, dict(labels)["group"])}


def success(exposition):
    found = [value for (name, _), value in exposition.samples.items() if name == "memcached_probe_success"]
    return int(found[0]) if found else None


def probed(exporter, server, *flags):
    return exporter("--collector.probe", "--no-collector.settings", "--no-collector.items", "--no-collector.slabs", *flags,
                    targets=[server.address])


def talks(answers, version="1.6.18"):
    return storing({"stats": reply("pid 1", f"version {version}")}, answers)


def test_real_server(exporter, memcached):
    server = memcached()
    running = probed(exporter, server)
    before = int(server.stats()["stats"]["total_items"])
    for n in range(1, 4):
        exposition = running.exposition()
        assert success(exposition) == 1
        assert durations(exposition) == {"mn": n, "set": n, "get": n, "delete": n}
    stats = server.stats()["stats"]
    assert int(stats["total_items"]) - before == 3 and int(stats["curr_items"]) == 0
    assert exposition.samples[("memcached_exporter_target_connections_opened_total", frozenset())] == "1"


def test_off_by_default(exporter, fake):
    server = fake()
    names = exporter(targets=[server.address]).exposition().names()
    assert not any("probe" in name for name in names if name != "memcached_exporter_kubelet_probes_total")
    assert all(line.startswith("stats") for line in server.requests)


def test_one_key_of_60_seconds(exporter, fake):
    server = fake(script=talks({}))
    running = probed(exporter, server)
    for _ in range(2):
        assert success(running.exposition()) == 1
    sets = [line for line in server.requests if line.startswith("set")]
    assert len(sets) == 2 and sets[0] == sets[1]
    assert re.fullmatch(rf"set {KEY} 0 60 47", sets[0])
    keys = {word for line in server.requests for word in re.findall(KEY, line)}
    assert len(keys) == 1 and server.connections == 1


@pytest.mark.parametrize("version, mn", [("1.5.22", False), ("1.4.39", False), ("1.6.0", True), ("1.6.40", True)])
def test_mn_only_where_it_is_known(exporter, fake, version, mn):
    server = fake(script=talks({}, version))
    exposition = probed(exporter, server).exposition()
    assert ("mn" in server.requests) == mn and success(exposition) == 1
    assert set(durations(exposition)) == {"set", "get", "delete"} | ({"mn"} if mn else set())


@pytest.mark.parametrize("answers, timed", [
    ({"set": "SERVER_ERROR read only\r\n"}, {"mn"}),
    ({"set": "CLIENT_ERROR not permitted\r\n"}, {"mn"}),
    ({"set": "ERROR\r\nERROR\r\n"}, {"mn"}),
    ({"set": "SERVER_ERROR no set route\r\n", "mn": "ERROR\r\n"}, set()),
    ({"delete": "SERVER_ERROR no delete route\r\n"}, {"mn", "set", "get"}),
    ({"mn": "ERROR\r\n"}, {"set", "get", "delete"}),
])
def test_what_is_refused_is_no_failure(exporter, fake, answers, timed):
    """It is not asked again, so that the connection is kept from then on."""
    server = fake(script=talks(answers))
    running = probed(exporter, server)
    first = running.exposition()
    assert success(first) == 1 and set(durations(first)) == timed
    asked = len([line for line in server.requests if line.split(" ")[0] in answers])
    for _ in range(3):
        exposition = running.exposition()
        assert exposition.samples[("memcached_up", frozenset())] == "1"
        assert success(exposition) in (1, None)
    assert len([line for line in server.requests if line.split(" ")[0] in answers]) == asked
    assert server.connections <= 2


@pytest.mark.parametrize("answers", [
    {"set": "SERVER_ERROR out of memory storing object\r\n"},
    {"set": "NOT_STORED\r\n"},
    {"get": "END\r\n"},
    {"get": "VALUE other 0 1\r\nx\r\nEND\r\n"},
    {"delete": "NOT_FOUND\r\n"},
    {"mn": "MN\r\nMN\r\n"},
    {"get": "SERVER_ERROR backend failure\r\n"},
    {"get": "VALUE memcached_fleet_exporter:probe:0 0 99999999999999999999\r\n"},
    {"get": "x" * 100000},
    {"set": "STORED" * 20000 + "\r\n"},
    {"delete": "DELETED\r\nDELETED\r\n"},
    {"delete": "\x00\r\n"},
    {"mn": "MN " + "x" * 100000 + "\r\n"},
])
def test_wrong_answers(exporter, fake, answers):
    """The probe has failed, and the stats are good all the same, scrape after scrape."""
    running = probed(exporter, fake(script=talks(answers)))
    for _ in range(3):
        exposition = running.exposition()
        assert exposition.samples[("memcached_up", frozenset())] == "1"
        assert success(exposition) == 0


@pytest.mark.parametrize("word", ["mn", "set", "get", "delete"])
@pytest.mark.parametrize("ends", [False, True])
def test_silent_or_dead_at_an_operation(exporter, fake, word, ends):
    usual = talks({})

    class Cut:
        def __init__(self, connection):
            self.connection = connection

        def line(self):
            line = self.connection.line()
            if line.startswith(word):
                if not ends:
                    self.connection.wait_for_end()
                return ""
            return line

        def send(self, data):
            self.connection.send(data)

    server = fake(script=lambda connection: usual(Cut(connection)))
    running = probed(exporter, server, "--memcached.timeout=1500ms")
    for _ in range(2):
        exposition = running.exposition()
        assert exposition.samples[("memcached_up", frozenset())] == "1"
        assert success(exposition) == 0 and word not in durations(exposition)


def test_stopped_server(exporter, memcached):
    server = memcached()
    running = probed(exporter, server, "--memcached.timeout=1500ms")
    assert success(running.exposition()) == 1
    os.kill(server.process.popen.pid, signal.SIGSTOP)
    try:
        exposition = running.exposition()
        assert exposition.samples[("memcached_up", frozenset())] == "0" and success(exposition) == 0
    finally:
        os.kill(server.process.popen.pid, signal.SIGCONT)
    assert success(running.exposition()) == 1


def test_slow_server(exporter, fake):
    """Its time is in the histogram of the operation that is slow."""
    pause = threading.Event()
    usual = talks({})

    class Slow:
        def __init__(self, connection):
            self.connection = connection

        def line(self):
            line = self.connection.line()
            if line.startswith("get"):
                pause.wait(0.4)
            return line

        def send(self, data):
            self.connection.send(data)

    running = probed(exporter, fake(script=lambda connection: usual(Slow(connection))), "--memcached.timeout=10s")
    samples = running.exposition().samples
    sums = {dict(labels)["operation"]: float(value) for (name, labels), value in samples.items()
            if name == "memcached_probe_duration_seconds_sum"}
    assert sums["get"] >= 0.4


def test_modules_and_urls(exporter, memcached, tmp_path):
    """Per module; servers of URLs only by a module that says url_targets."""
    server, other = memcached(), memcached()
    config = tmp_path / "exporter.yml"
    config.write_text("modules: { probed: { collectors: [probe] }, open: { collectors: [probe], url_targets: true } }\n"
                      "groups:\n"
                      f"  - {{ name: one, module: probed, targets: ['{server.address}'] }}\n"
                      f"  - {{ name: two, targets: ['{other.address}'] }}\n", encoding="utf-8")
    running = exporter(f"--config.file={config}", targets=None)
    exposition = running.exposition()
    assert durations(exposition, "one")["get"] == 1 and durations(exposition, "two") == {}
    assert success(running.exposition(f"/scrape?module=probed&target={other.address}")) is None
    assert success(running.exposition(f"/scrape?module=open&target={other.address}")) == 1
    assert int(other.stats()["stats"]["total_items"]) == 1


def test_binary_sessions_are_not_probed(exporter, memcached):
    server = memcached()
    exposition = probed(exporter, server, "--memcached.protocol=binary").exposition()
    assert exposition.samples[("memcached_up", frozenset())] == "1"
    assert success(exposition) is None and durations(exposition) == {}
