"""The last byte of an answer comes before the deadline of the scrape, however much there is to encode, compress and send."""

import gzip
import threading
import time

import pytest

from support import http
from support.exposition import Exposition
from support.fake import PLAIN

SERVERS = 60
STATS = 3000
LARGE = PLAIN["stats"].removesuffix(b"END\r\n") + b"".join(b"STAT new_thing_%d 12345\r\n" % n for n in range(STATS)) + b"END\r\n"


class Fleet:
    """Large servers on one port. While `silent` is set, the first of them does not answer `stats`."""

    def __init__(self, fake):
        self.silent = threading.Event()
        self.server = fake(script=self._serve, host="0.0.0.0")
        self.addresses = [f"127.0.3.{1 + n}:{self.server.port}" for n in range(SERVERS)]

    def _serve(self, connection):
        first = connection.sock.getsockname()[0] == "127.0.3.1"
        while line := connection.line():
            if first and self.silent.is_set():
                connection.wait_for_end()
                return
            connection.send(LARGE if line == "stats" else PLAIN[line])


def scrape(started, seconds, coding):
    """Seconds to the last byte, and the body."""
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": f"{seconds:.3f}", "Accept-Encoding": coding}
    begin = time.monotonic()
    answer = started.get("/metrics", headers, timeout=60)
    took = time.monotonic() - begin
    assert answer.status == 200
    assert answer.headers.get("content-encoding", "identity") == coding
    return took, gzip.decompress(answer.body) if coding == "gzip" else answer.body


@pytest.fixture
def fleet(fake):
    return Fleet(fake)


@pytest.fixture
def started(exporter, fleet):
    """Its answers may take as long as the scrape has, but for a tenth of a second."""
    return exporter("--memcached.timeout=10s", "--scrape.timeout-offset=100ms", targets=fleet.addresses, release=True)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_one_silent_server_does_not_make_the_answer_late(started, fleet, coding):
    """The time that a scrape has is a multiple of what this machine needs for the answer when no server is silent."""
    needs = max(scrape(started, 60, coding)[0] for _ in range(2))
    fleet.silent.set()
    seconds = max(1.0, 3 * needs)
    for _ in range(3):  # the machine may be busy once
        took, body = scrape(started, seconds, coding)
        if took < seconds:
            break
    assert seconds / 4 < took < seconds
    got = Exposition(body)
    assert [labels["instance"] for labels, value in got.find("memcached_up") if value != "1"] == [fleet.addresses[0]]
    assert len(got.find("memcached_target_truncated")) == SERVERS


@pytest.mark.parametrize("part", [0.8, 0.5])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_servers_that_cannot_be_in_time_are_left_out(started, fleet, coding, part):
    """The scrape has a part of the time that the answer needs. A server that answered is shown, or said to be left out."""
    needs = max(scrape(started, 60, coding)[0] for _ in range(2))
    took, body = scrape(started, part * needs, coding)
    got = Exposition(body)
    assert took < 2 * needs
    assert len(got.find("memcached_up")) == SERVERS
    up = {labels["instance"] for labels, value in got.find("memcached_up") if value == "1"}
    shown = [labels["instance"] for labels, _ in got.find("memcached_unmapped_stat")]
    left_out = {labels["instance"] for labels, value in got.find("memcached_target_truncated") if int(value) >= STATS}
    for instance in up - left_out:
        assert shown.count(instance) == STATS
