"""Servers that are named, not discovered: their names move while they are scraped, with a real name server."""

import time

import pytest

from support.knot import ZONE, Knot
from support.process import free_port

NAME_SERVER = "127.0.0.76"
MIB = 1024 * 1024

pytestmark = [
    pytest.mark.skipif(not Knot.may_run(NAME_SERVER), reason="port 53 is not free to use here"),
    pytest.mark.skipif(not Knot.may_mount(), reason="no resolv.conf can be mounted here"),
]


@pytest.fixture
def knot():
    server = Knot(NAME_SERVER)
    yield server
    server.close()


def limit_of(process):
    """What says which of the servers has answered."""
    return int(float(process.exposition().value("memcached_limit_bytes")))


def test_a_container_that_moved_is_found_in_the_same_scrape(knot, exporter, memcached):
    port = free_port()
    knot.set("cache A 127.0.6.1")
    old = memcached(host="127.0.6.1", port=port)
    process = exporter(targets=[f"cache:{port}"], wrapper=knot.wrapper)
    assert process.exposition().value("memcached_up") == "1"
    memcached(host="127.0.6.2", port=port)
    old.kill()
    knot.set("cache A 127.0.6.2")
    assert process.exposition().value("memcached_up") == "1"


def test_a_name_that_moved_while_the_old_server_lives(knot, exporter, memcached):
    port = free_port()
    knot.set("cache A 127.0.6.1")
    memcached("-m", "16", host="127.0.6.1", port=port)
    new = memcached("-m", "32", host="127.0.6.2", port=port)
    process = exporter(targets=[f"cache:{port}"], wrapper=knot.wrapper)
    assert limit_of(process) == 16 * MIB
    knot.set("cache A 127.0.6.2")
    end = time.monotonic() + 30
    while limit_of(process) != 32 * MIB:
        assert time.monotonic() < end, f"{new.address} was never asked"
        time.sleep(0.5)
