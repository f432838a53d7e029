"""
No turn of the event loop is long, whatever servers say and however many clients come at once: measured by processor
time, so that a busy machine does not matter.
"""

import os
import resource
import shutil
import socket
import struct
import subprocess

import pytest

from support.fake import PLAIN
from support.process import wait_until

SOURCE = os.path.join(os.path.dirname(__file__), "..", "support", "longest_turn.c")

# A turn may take 8 ms; the rest is for caches that other programs have emptied, and for a core that is shared
# with another thread.
LONGEST_MS = 8 * 3

HEADER = {"X-Prometheus-Scrape-Timeout-Seconds": "60"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("turns") / "longest_turn.so"
    subprocess.run([compiler, "-O1", "-g", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    return built


@pytest.fixture
def watched(library, tmp_path, exporter):
    """Starts the exporter; what it gives has longest_ms(), which begins anew with each call."""
    file = tmp_path / "turns"
    file.write_bytes(bytes(4096))

    def longest_ms():
        with open(file, "r+b") as turns:
            longest_ns, count = struct.unpack("QQ", turns.read(16))
            turns.seek(0)
            turns.write(bytes(16))
        assert count > 0, "the loop was not watched"
        return longest_ns / 1e6

    def start(*flags, targets, **how):
        env = {"LD_PRELOAD": str(library), "TURNS_FILE": str(file)}
        started = exporter("--no-sandbox", "--memcached.timeout=50s", *flags, targets=targets, env=env, release=True, **how)
        started.longest_ms = longest_ms
        return started

    return start


def many(fake, count, body=PLAIN["stats"]):
    def script(connection):
        while line := connection.line():
            connection.send(body if line == "stats" else PLAIN[line])

    server = fake(script=script, host="0.0.0.0")
    return [f"127.0.{1 + n // 250}.{1 + n % 250}:{server.port}" for n in range(count)]


@pytest.mark.parametrize("servers, lines", [
    (1, [b"STAT a 1\r\n"] * 400000),
    (50, [b"STAT a 1\r\n"] * 400000),
    (5, [b"STAT %x 1\r\n" % (n * 7919 % 300007) for n in range(300000)]),
    (20, [b"STAT curr_items 1\r\n"] * 200000),
], ids=["equal keys", "equal keys of fifty", "unknown stats", "a known stat"])
def test_what_servers_say(watched, fake, servers, lines):
    body = PLAIN["stats"].removesuffix(b"END\r\n") + b"".join(lines) + b"END\r\n"
    started = watched(targets=many(fake, servers, body))
    got = started.exposition(headers=HEADER)
    assert all(value == "1" for _, value in got.find("memcached_up"))
    assert started.longest_ms() < LONGEST_MS


def test_a_large_fleet_that_hangs_up(watched, scripted):
    servers = scripted(1000)
    started = watched(targets=servers.addresses)
    assert started.longest_ms() < LONGEST_MS
    for _ in range(2):
        got = started.exposition(headers=HEADER)
        assert sum(value == "1" for _, value in got.find("memcached_up")) == 1000
        assert started.longest_ms() < LONGEST_MS
        servers.do("drop")
        wait_until(lambda: started.descriptors() < 100, "the connections to end")
        assert started.longest_ms() < LONGEST_MS
    got = started.exposition(headers=HEADER)
    started.longest_ms()
    started.stop()
    assert started.longest_ms() < LONGEST_MS


def test_polls_that_fail_at_once(watched, fake):
    """For want of descriptors: the end of each such poll makes room for the next one."""
    started = watched(targets=many(fake, 20000), wrapper=("prlimit", "--nofile=200:200"))
    started.longest_ms()
    got = started.exposition(headers=HEADER)
    assert 50 < sum(value == "1" for _, value in got.find("memcached_up")) < 200
    assert started.longest_ms() < LONGEST_MS


def test_clients_that_come_together(watched, memcached):
    """So many that libuv would take in one turn; each of them asks at once, as soon as it is taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    started = watched(targets=[memcached().address])
    clients = []
    try:
        for _ in range(4):
            for n in range(500):
                client = socket.socket()
                clients.append(client)
                client.bind((f"127.0.{3 + n // 250}.{1 + n % 250}", 0))
                client.connect(started.where)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        assert started.exposition().value("memcached_up") == "1"
        assert started.longest_ms() < LONGEST_MS
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
