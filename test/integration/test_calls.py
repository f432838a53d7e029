"""How many system calls a scrape makes: one write and one read for each server, and next to nothing beside."""

import concurrent.futures
import contextlib
import http.client
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

from support.fake import PLAIN
from support.process import wait_until

SOURCE = os.path.join(os.path.dirname(__file__), "..", "support", "count_calls.c")

# As in count_calls.c.
NAMES = ("read", "write", "recv", "epoll_ctl", "epoll_wait", "open", "pread", "stat", "getrlimit", "malloc_trim")

SERVERS, SCRAPES = 120, 5

@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("calls") / "count_calls.so"
    subprocess.run([compiler, "-O1", "-g", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    return built


@pytest.fixture
def counted(library, tmp_path, exporter):
    """Starts the exporter; what it gives has calls(), which begins anew with each call."""
    file = tmp_path / "calls"
    file.write_bytes(bytes(4096))

    def calls():
        with open(file, "r+b") as counts:
            numbers = struct.unpack(f"{len(NAMES)}Q", counts.read(8 * len(NAMES)))
            counts.seek(0)
            counts.write(bytes(8 * len(NAMES)))
        return dict(zip(NAMES, numbers))

    def start(*flags, targets):
        env = {"LD_PRELOAD": str(library), "CALLS_FILE": str(file)}
        started = exporter("--no-sandbox", "--memcached.timeout=50s", *flags, targets=targets, env=env, release=True)
        started.calls = calls
        return started

    return start


class Burst:
    """Servers whose answers have all arrived before the exporter reads the first: more than it reads in one turn."""

    COMMANDS = ("stats", "stats settings", "stats items", "stats slabs")
    # As long as those of a server with five classes of slabs in use.
    STATS = PLAIN["stats"].removesuffix(b"END\r\n") + b"STAT more 1\r\n" * 700 + b"END\r\n"
    ANSWER = STATS + b"".join(PLAIN[command] for command in COMMANDS[1:])

    def __init__(self, fake):
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.asked = self.answered = 0
        server = fake(script=self.serve, host="0.0.0.0")
        self.targets = [f"127.0.1.{n + 1}:{server.port}" for n in range(SERVERS)]

    def serve(self, connection):
        while all(connection.line() for _ in self.COMMANDS):
            with self.lock:
                self.asked += 1
            self.gate.wait(30)
            connection.send(self.ANSWER)
            with self.lock:
                self.answered += 1

    def scrape(self, started):
        self.gate.clear()
        asked, answered = self.asked + SERVERS, self.answered + SERVERS
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(started.exposition)
            wait_until(lambda: self.asked == asked, "every server to be asked")
            os.kill(started.pid, signal.SIGSTOP)
            self.gate.set()
            wait_until(lambda: self.answered == answered, "every server to answer")
            os.kill(started.pid, signal.SIGCONT)
            assert [value for _, value in answer.result().find("memcached_up")] == ["1"] * SERVERS


def test_a_fleet_that_answers_at_once(counted, fake):
    burst = Burst(fake)
    started = counted(targets=burst.targets)
    burst.scrape(started)
    started.calls()
    for _ in range(SCRAPES):
        burst.scrape(started)
    each = {name: count / SCRAPES / SERVERS for name, count in started.calls().items()}
    assert each["write"] < 1.05, each
    assert each["read"] < 1.05, each
    assert each["epoll_ctl"] < 0.06, each


def calls_of_scrapes(started, path):
    """By name, of one scrape over a kept connection."""
    client = http.client.HTTPConnection(*started.where, timeout=20)
    with contextlib.closing(client):
        for n in range(23):
            if n == 3:
                started.calls()
            client.request("GET", path)
            assert b"memcached_up 1\n" in client.getresponse().read()
        return {name: count / 20 for name, count in started.calls().items()}


def test_one_server(counted, memcached):
    """Nothing is opened, and what the kernel takes long to tell is asked for once a second."""
    each = calls_of_scrapes(counted(targets=[memcached().address]), "/metrics")
    assert each["write"] == 1 and each["open"] == 0, each
    assert each["epoll_ctl"] < 1.5, each
    assert each["pread"] < 1.5 and each["stat"] <= 1 and each["getrlimit"] <= 2, each


def test_memory_is_returned_when_idle(counted, memcached):
    """Not between scrapes that follow each other, for which it would have to be fetched again."""
    started = counted(targets=[memcached().address])
    calls_of_scrapes(started, "/metrics")
    wait_until(lambda: started.calls()["malloc_trim"] == 1, "the memory to be returned")
    time.sleep(0.5)
    assert started.calls()["malloc_trim"] == 0


def test_what_is_not_asked_for_is_not_read(counted, memcached):
    each = calls_of_scrapes(counted(targets=[memcached().address]), "/metrics?name[]=memcached_up")
    assert each["open"] == each["stat"] == each["getrlimit"] == 0 and each["pread"] <= 1, each
