"""What an exporter tells of its sources, and of the fleet that they make up."""

import yaml

from support.process import wait_until

# A test speaks of one source as its group's; the numbers that an exporter tells of it.
NUMBERS = {
    "targets": "discovery_targets",
    "empty": "discovery_empty",
    "refreshes": "discovery_refreshes_total",
    "failures": "discovery_failures_total",
    "success": "discovery_last_success_timestamp_seconds",
}


def config_file(directory, *groups):
    """The flag for a configuration of these groups, each without its name: that is g0, g1, ..."""
    path = directory / "exporter.yml"
    named = [dict(name=f"g{n}", **group) for n, group in enumerate(groups)]
    path.write_text(yaml.safe_dump({"groups": named}), encoding="utf-8")
    return f"--config.file={path}"


def fleet(exposition, **labels):
    """{instance: memcached_up} of the targets that have at least these labels."""
    ups = exposition.find("memcached_up", **labels)
    instances = {have["instance"]: int(up) for have, up in ups}
    assert len(instances) == len(ups), f"one server twice: {ups}"
    return instances


def await_fleet(exporter, expected, **labels):
    """Until the fleet is just this; what it was instead is in the failure."""
    last = {}

    def is_there():
        last.update(fleet=fleet(exporter.exposition(), **labels))
        return last["fleet"] == expected

    try:
        wait_until(is_there, "")
    except AssertionError:
        raise AssertionError(f"expected {expected}, found {last['fleet']}\n{exporter.process.stderr}") from None


class Source:
    """One source's numbers at one moment."""

    def __init__(self, exporter, group="g0"):
        exposition = exporter.exposition()
        for name, metric in NUMBERS.items():
            samples = exposition.find(f"memcached_exporter_{metric}", group=group)
            assert len(samples) <= 1, samples
            setattr(self, name, float(samples[0][1]) if samples else None)

    def __str__(self):
        return str(vars(self))


def await_source(exporter, condition, what, group="g0"):
    """The first numbers that meet the condition."""
    def look():
        source = Source(exporter, group)
        return source.refreshes is not None and condition(source) and source

    return wait_until(look, what)


def await_answers(exporter, count=2, group="g0"):
    """After so many more answers: the first may be one that was asked for before what the test did last."""
    before = Source(exporter, group).refreshes or 0
    return await_source(exporter, lambda now: now.refreshes >= before + count, f"{count} answers", group)


def await_failures(exporter, count=2, group="g0"):
    before = Source(exporter, group).failures or 0
    return await_source(exporter, lambda now: now.failures >= before + count, f"{count} failures", group)


def errors(exporter, subject):
    """What the exporter has logged of a source: [(message, error)]."""
    lines = (line for line in exporter.log() if line.get("subject") == subject)
    return [(line["msg"], line.get("err", "")) for line in lines]
