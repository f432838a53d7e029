"""How long servers take, as the exporter sees it."""

import threading

from support.fake import reply

ANSWER = "memcached_target_answer_seconds"


def times(exposition, group):
    """{part: (count, sum in seconds)} of a group."""
    found = {}
    for (name, labels), value in exposition.samples.items():
        labels = dict(labels)
        if name in (f"{ANSWER}_count", f"{ANSWER}_sum") and labels["group"] == group:
            found.setdefault(labels["part"], {})[name.rpartition("_")[2]] = float(value)
    return {part: (one["count"], one["sum"]) for part, one in found.items()}


def test_parts_of_polls_by_group(exporter, memcached, fake, dead_address, tmp_path):
    """Seen after the polls of the scrapes before. A server that answers late shows in its group alone."""
    def late(connection):
        while connection.line():
            connection.server.pause.wait(0.3)
            connection.send(reply("pid 1"))

    server, slow = memcached(), fake(script=late)
    slow.pause = threading.Event()
    config = tmp_path / "exporter.yml"
    config.write_text(f"modules: {{ default: {{ collectors: [] }} }}\n"
                      f"groups:\n"
                      f"  - {{ name: quick, targets: ['{server.address}'] }}\n"
                      f"  - {{ name: slow, targets: ['{slow.address}'] }}\n"
                      f"  - {{ name: dead, targets: ['{dead_address}'] }}\n", encoding="utf-8")
    running = exporter(f"--config.file={config}", targets=None)
    for _ in range(3):
        exposition = running.exposition()
    quick, delayed = times(exposition, "quick"), times(exposition, "slow")
    assert {part: count for part, (count, _) in quick.items()} == {"connect": 1, "first_byte": 3, "whole": 3}
    assert times(exposition, "dead") == {}
    assert delayed["first_byte"][0] == delayed["whole"][0] == 3
    assert delayed["whole"][1] >= delayed["first_byte"][1] >= 0.9
    assert quick["connect"][1] + quick["first_byte"][1] <= quick["whole"][1]
    running.exposition(f"/scrape?target={memcached().address}")
    assert times(running.exposition(), "")["whole"][0] == 1
