"""An exporter that is stopped for a while, or kept busy by some servers: those that answer are up all the same."""

import os
import signal
import threading
import time

import pytest

from support.fake import PLAIN
from support.process import wait_until

HEADER = {"X-Prometheus-Scrape-Timeout-Seconds": "10"}


def many(fake, count, script=None):
    """Addresses of so many servers, which are one fake behind as many loopback addresses."""
    server = fake(script=script, host="0.0.0.0")
    return server, [f"127.0.{1 + n // 250}.{1 + n % 250}:{server.port}" for n in range(count)]


def down(got):
    return [(labels["instance"], got.state(instance=labels["instance"]))
            for labels, value in got.find("memcached_up") if value != "1"]


@pytest.mark.parametrize("before, stopped", [(0, 1.2), (0.02, 2), (0.1, 1.3), (0.3, 3), (0.5, 1.2)])
@pytest.mark.parametrize("kept", [False, True], ids=["new connections", "kept connections"])
def test_the_exporters_own_pause_is_not_booked_on_servers(exporter, scripted, before, stopped, kept):
    """It is stopped in the middle of a scrape of servers that take 0 to 0.4 s, for longer than they have."""
    servers = scripted(200)
    servers.tell(*(f"{n} delay {n % 5 * 100}" for n in range(200) if n % 5))
    started = exporter("--memcached.timeout=1s", targets=servers.addresses)
    if kept:
        assert down(started.exposition(headers=HEADER)) == []

    def pause():
        time.sleep(before)
        os.kill(started.pid, signal.SIGSTOP)
        time.sleep(stopped)
        os.kill(started.pid, signal.SIGCONT)

    stopper = threading.Thread(target=pause)
    stopper.start()
    begin = time.monotonic()
    got = started.exposition(headers=HEADER)
    stopper.join()
    assert down(got) == []
    assert time.monotonic() - begin < 9.75


def test_the_deadline_of_the_scrape_holds_for_a_stopped_exporter(exporter, fake):
    """Its pause gives a server no time beyond that."""
    silent = fake(script=lambda connection: connection.wait_for_end())
    started = exporter("--memcached.timeout=1s", targets=[silent.address])
    begin = time.monotonic()
    stopper = threading.Timer(0.1, lambda: os.kill(started.pid, signal.SIGSTOP))
    starter = threading.Timer(1.0, lambda: os.kill(started.pid, signal.SIGCONT))
    stopper.start()
    starter.start()
    got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "1.75"})
    assert got.state() == "timeout"
    assert 1.4 < time.monotonic() - begin < 1.75
    stopper.join()
    starter.join()


def test_who_waits_for_a_place_keeps_its_own_time(exporter, scripted, deaf):
    """Servers that take a third of the time-out, one after the other: each has it from when its turn has come."""
    servers = scripted(10)
    servers.do("delay 500")
    holes = [deaf(full=True).address for _ in range(2)]
    started = exporter("--memcached.max-connecting=1", "--memcached.timeout=1500ms",
                       targets=[*holes, *servers.addresses])
    got = started.exposition(headers=HEADER)
    assert sorted(where for where, _ in down(got)) == sorted(holes)


def test_a_server_that_comes_back_is_not_waited_for_by_old_dials(exporter, scripted):
    """Scrapes that overlap and give up soon, while a server drops SYNs for so long that the kernel tries ever more rarely."""
    servers = scripted(2)
    servers.do("full", 0)
    started = exporter("--memcached.timeout=10s", targets=servers.addresses)
    got, over = [], threading.Event()

    def scrape():
        while not over.wait(0.1):
            begin = time.monotonic()
            got.append((begin, down(started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "2"}))))

    scrapers = [threading.Thread(target=scrape) for _ in range(3)]
    for scraper in scrapers:
        scraper.start()
        time.sleep(0.7)
    time.sleep(12)
    servers.do("answer", 0)
    back = time.monotonic()
    wait_until(lambda: got[-1][0] > back + 2.5, "scrapes of a server that is back")
    over.set()
    for scraper in scrapers:
        scraper.join()
    assert all(state == "timeout" for begin, states in got if begin < back - 3 for _, state in states)
    assert [states for begin, states in got if begin > back + 2.5 and states] == []


def test_floods_do_not_starve_the_quiet(exporter, fake, scripted):
    """Twice as many servers that send without end as servers that answer."""

    def flood(connection):
        connection.line()
        while True:
            connection.send(lines)

    lines = b"".join(b"STAT new_thing_%d 12345\r\n" % n for n in range(5000))
    _, floods = many(fake, 100, flood)
    good = scripted(50).addresses
    started = exporter("--memcached.timeout=2s", "--memcached.max-reply=64MiB", targets=[*floods, *good])
    for _ in range(3):
        got = started.exposition(headers=HEADER)
        assert sorted(where for where, _ in down(got)) == sorted(floods)


@pytest.mark.parametrize("lines", [
    [b"STAT same_thing 1\r\n"] * 200000,
    [b"STAT pid 1\r\n"] * 200000,
    [b"STAT thing_%d 1\r\n" % (n * 7919 % 150000) for n in range(150000)],
], ids=["one unknown stat", "one known stat", "unknown stats"])
def test_what_one_server_adds_is_bounded(exporter, fake, lines):
    """Twenty servers with as many lines as one reply may have: each adds a bounded number of series, and says what was cut."""
    body = PLAIN["stats"].removesuffix(b"END\r\n") + b"".join(lines) + b"END\r\n"

    def script(connection):
        while line := connection.line():
            connection.send(body if line == "stats" else PLAIN[line])

    _, addresses = many(fake, 20, script)
    started = exporter("--memcached.timeout=20s", targets=addresses, release=True)
    answer = started.get("/metrics", {"X-Prometheus-Scrape-Timeout-Seconds": "30"})
    assert len(answer.body) < 20 * 2 << 20
    got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "30"})
    assert down(got) == []
    unknown = [labels for labels, _ in got.find("memcached_unmapped_stat", instance=addresses[0])]
    assert len(unknown) <= 10000
    assert int(got.value("memcached_target_truncated", instance=addresses[0])) > 100000


def test_all_answers_share_one_bound_of_memory(exporter, fake, scripted):
    """Thirty servers fill 1 MiB each and wait; the bound is 8 MiB. The largest are given up, and the small ones are up."""

    def fill(connection):
        connection.line()
        connection.send(lines)
        connection.wait_for_end()

    lines = b"".join(b"STAT funny_thing_%d 12345678901234\r\n" % n for n in range(10000))
    _, large = many(fake, 30, fill)
    small = scripted(50).addresses
    started = exporter("--memcached.timeout=2s", "--memcached.max-memory=8MiB", targets=[*large, *small])
    for _ in range(2):
        states = dict(down(started.exposition(headers=HEADER)))
        assert sorted(states) == sorted(large)
        given_up = sum(state == "overloaded" for state in states.values())
        assert 5 <= given_up < 30
        assert all(state in ("overloaded", "timeout") for state in states.values())
