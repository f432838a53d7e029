"""Standard error that nobody reads, that is closed, and lines that clients cause."""

import os
import signal
import socket

import pytest

from support import http
from support.process import wait_until

BAD_TIMEOUT = {"X-Prometheus-Scrape-Timeout-Seconds": "soon"}


def fill(descriptor):
    """Makes a pipe or socket full; its other end, which the program gets, stays a blocking one."""
    try:
        while True:
            os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        pass


def drain(descriptor):
    """Everything that is there now."""
    taken = b""
    try:
        while part := os.read(descriptor, 1 << 20):
            taken += part
    except BlockingIOError:
        pass
    return taken.decode()


@pytest.fixture(params=["pipe", "socket"])
def ends(request):
    """(reader, writer) of what becomes standard error."""
    if request.param == "pipe":
        pair = os.pipe()
    else:
        pair = [end.detach() for end in socket.socketpair()]
    os.set_blocking(pair[0], False)
    yield pair
    for end in pair:
        os.close(end)


def test_a_full_stderr_stops_nothing(exporter, dead_address, ends):
    reader, writer = ends
    started = exporter("--log.level=debug", targets=[dead_address], preexec_fn=lambda: os.dup2(writer, 2))
    copy = os.dup(writer)
    os.set_blocking(copy, False)  # of the shared open file: the program has its own
    fill(copy)
    os.set_blocking(copy, True)
    os.close(copy)
    for _ in range(20):
        assert started.get("/metrics", headers=BAD_TIMEOUT).status == 200
        assert started.get("/scrape?target=" + dead_address).status == 200
    assert int(started.exposition().value("memcached_exporter_log_lines_lost_total")) > 0

    drain(reader)
    started.process.signal(signal.SIGTERM)
    assert started.process.wait() == 0
    started.ended = True
    said = drain(reader)
    assert "log lines were lost" in said and "msg=stopping" in said, said


def test_sigterm_ends_it_when_stderr_is_full(exporter, ends):
    _, writer = ends
    started = exporter(preexec_fn=lambda: os.dup2(writer, 2))
    os.set_blocking(writer, False)
    fill(writer)
    os.set_blocking(writer, True)
    started.stop()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_standard_descriptors_that_are_closed(exporter, memcached, closed):
    started = exporter(targets=[memcached().address], preexec_fn=lambda: [os.close(number) for number in closed])
    for number in closed:
        assert os.readlink(f"/proc/{started.pid}/fd/{number}") == "/dev/null"
    assert started.exposition().value("memcached_up") == "1"
    started.stop()


def test_a_clients_mistake_is_said_once_a_minute(exporter):
    started = exporter("--log.level=debug")
    for _ in range(50):
        assert started.get("/metrics", headers=BAD_TIMEOUT).status == 200
        assert http.raw(started.where, b"GET  / HTTP/1.1\r\n\r\n").status == 400
    mine = [line for line in started.log() if "Scrape-Timeout" in line["msg"] or line["msg"] == "request refused"]
    assert 2 <= len(mine) <= 4, mine  # two kinds; a minute may end meanwhile
    assert started.process.running


def test_controls_of_terminals_are_escaped(exporter):
    started = exporter()
    with http.RawClient(started.where) as client:
        value = "1\u009b31m\u202e2".encode()
        client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: " + value + b"\r\n\r\n")
        assert client.answer().status == 200
    line = [line for line in started.process.stderr.splitlines() if "Scrape-Timeout" in line]
    assert "1\\u009b31m\\u202e2" in line[0]
