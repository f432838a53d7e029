"""How much memory the exporter takes at rest: people run one beside each memcached, or one for thousands of them."""

import re

from support.process import wait_until


def memory_kib(pid):
    """What is resident, and what of it no other process can share and the system cannot read again from a file."""
    resident = anonymous = 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for key, value in re.findall(r"^(Rss|Anonymous): +(\d+) kB", file.read(), re.MULTILINE):
            resident += int(value) if key == "Rss" else 0
            anonymous += int(value) if key == "Anonymous" else 0
    return resident, anonymous


def test_one_server(exporter, memcached):
    """The bounds leave a tenth of room above what is seen with the libraries of Debian 12."""
    started = exporter(targets=[memcached().address], release=True)
    for _ in range(5):
        assert started.get("/metrics", headers={"Accept-Encoding": "gzip"}).status == 200
    wait_until(lambda: memory_kib(started.pid)[1] < 830, "little memory of its own", seconds=10)
    assert memory_kib(started.pid)[0] < 4600


def test_bytes_at_rest_of_a_server(exporter, scripted):
    """Beyond what one server takes, once the memory of a scrape is returned."""
    count = 2000
    servers = scripted(count)
    one, many = (exporter(targets=servers.addresses[:some], release=True) for some in (1, count))
    for started in (one, many) * 2:
        got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"})
        assert all(value == "1" for _, value in got.find("memcached_up"))

    def each():
        return (memory_kib(many.pid)[1] - memory_kib(one.pid)[1]) * 1024 / count
