"""Many servers in one answer: labels, one deadline for all, and each failure on its own."""

import threading
import time

import pytest

from support import http
from support.exposition import Exposition
from support.fake import PLAIN
from support.memcached import Memcached
from support.process import free_port, wait_until

DEADLINE = {"X-Prometheus-Scrape-Timeout-Seconds": "1"}


@pytest.fixture(scope="module")
def twenty():
    """Shared by the tests that do not stop any of them."""
    servers = [Memcached() for _ in range(20)]
    for i, server in enumerate(servers):
        server.client.ask(b"set only%d 0 0 1\r\n1\r\n" % i)
        for _ in range(i):
            server.client.ask(b"get nothing\r\n", b"END\r\n")
    yield servers
    for server in servers:
        server.kill()


def ups(exposition):
    return {labels["instance"]: value for labels, value in exposition.find("memcached_up")}


def test_twenty_targets_each_with_its_label(twenty, exporter):
    got = exporter(targets=[server.address for server in twenty]).exposition()
    assert ups(got) == {server.address: "1" for server in twenty}
    for i, server in enumerate(twenty):
        misses = got.value("memcached_commands_total", instance=server.address, command="get", status="miss")
        assert misses == str(i)


def test_every_sample_of_a_server_carries_the_label(twenty, exporter):
    started = exporter("--web.disable-exporter-metrics", targets=[server.address for server in twenty[:2]])
    got = started.exposition()
    assert all("instance" in dict(labels) for _, labels in got.samples)


def test_target_label_has_a_name_of_choice(twenty, exporter):
    got = exporter("--web.target-label=server", targets=[server.address for server in twenty[:2]]).exposition()
    assert {labels["server"] for labels, _ in got.find("memcached_up")} == {s.address for s in twenty[:2]}


def test_comma_list(twenty, exporter):
    addresses = [server.address for server in twenty[:4]]
    got = exporter(targets=[",".join(addresses[:3]), addresses[3]]).exposition()
    assert ups(got) == dict.fromkeys(addresses, "1")


def test_two_silent_and_one_refusing_of_twenty(twenty, exporter, fake, deaf, dead_address):
    silent = fake(script=lambda connection: connection.wait_for_end()).address
    never_accepts = deaf().address
    live = [server.address for server in twenty[:17]]
    down = {silent: "timeout", never_accepts: "timeout", dead_address: "refused"}
    started = exporter("--memcached.timeout=10s", targets=[silent, *live[:9], dead_address, *live[9:], never_accepts])
    for _ in range(2):
        begin = time.monotonic()
        answer = started.get("/metrics", DEADLINE)
        assert time.monotonic() - begin < 1.0
        got = Exposition(answer.body)
        assert ups(got) == {**dict.fromkeys(live, "1"), **dict.fromkeys(down, "0")}
        assert {target: got.state(instance=target) for target in down} == down
        assert {got.state(instance=target) for target in live} == {"up"}
        # A slow build has no time left for everything when it waited for the silent: it says so.
        assert all(got.find("memcached_uptime_seconds", instance=target)
                   or got.value("memcached_target_truncated", instance=target) != "0" for target in live)


def test_memcached_timeout_holds_without_a_header(exporter, fake):
    silent = fake(script=lambda connection: connection.wait_for_end()).address
    started = exporter("--memcached.timeout=300ms", targets=[silent])
    begin = time.monotonic()
    got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
    assert 0.25 < time.monotonic() - begin < 1.0
    assert got.state() == "timeout"


def test_one_attempt_at_a_time_still_reaches_all(twenty, exporter):
    started = exporter("--memcached.max-connecting=1", targets=[server.address for server in twenty])
    assert set(ups(started.exposition()).values()) == {"1"}


def test_no_more_attempts_at_once_than_allowed(twenty, exporter, deaf):
    """A connection that hangs takes the only slot: whoever is behind it waits, and keeps its own time for when it is asked."""
    hangs, good = deaf(full=True).address, twenty[0].address
    started = exporter("--memcached.max-connecting=1", "--memcached.timeout=1500ms", targets=[hangs, good])
    got = started.exposition()
    assert (got.state(instance=hangs), got.state(instance=good)) == ("timeout", "up")


def test_a_silent_target_keeps_no_attempt_slot_for_ever(twenty, exporter, deaf):
    """Connecting to a deaf listener succeeds in its kernel: the slot must be free again for the others."""
    addresses = [deaf().address, *(server.address for server in twenty[:5])]
    got = exporter("--memcached.max-connecting=1", "--memcached.timeout=1500ms", targets=addresses).exposition()
    assert list(ups(got).values()).count("1") == 5


def test_ipv6_target(memcached, exporter):
    server = memcached(host="::1")
    got = exporter(targets=[server.address, f"[::1]:{free_port('::1')}"]).exposition()
    assert got.value("memcached_up", instance=server.address) == "1"
    assert got.state(instance=server.address) == "up"


def test_unix_socket_target(memcached, exporter, tmp_path):
    server = memcached(path=str(tmp_path / "m.sock"))
    missing = f"unix:{tmp_path / 'none.sock'}"
    got = exporter(targets=[server.address, missing]).exposition()
    assert got.value("memcached_up", instance=server.address) == "1"
    assert got.state(instance=missing) in ("unreachable", "refused")


def test_bare_path_is_a_unix_socket(memcached, exporter, tmp_path):
    server = memcached(path=str(tmp_path / "m.sock"))
    assert exporter(targets=[server.path]).exposition().value("memcached_up") == "1"


def test_localhost_needs_no_dns(memcached, exporter):
    server = memcached()
    got = exporter(targets=[f"localhost:{server.port}"]).exposition()
    assert got.value("memcached_up") == "1"


def test_localhost_reaches_a_server_on_ipv6_only(memcached, exporter):
    server = memcached(host="::1")
    assert exporter(targets=[f"localhost:{server.port}"]).exposition().value("memcached_up") == "1"


def test_exporter_on_several_addresses_at_once(memcached, exporter, tmp_path):
    server, path, port6 = memcached(), str(tmp_path / "web.sock"), free_port("::1")
    started = exporter(f"--web.listen-address=unix:{path}", f"--web.listen-address=[::1]:{port6}", targets=[server.address])
    for where in (started.where, path, ("::1", port6)):
        assert Exposition(http.get(where, "/metrics").body).value("memcached_up") == "1"
    started.stop()
    assert not (tmp_path / "web.sock").exists()


def test_started_late(exporter, memcached):
    port = free_port()
    started = exporter(targets=[f"127.0.0.1:{port}"])
    assert started.exposition().state() == "refused"
    memcached(port=port)
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("1", "up")


def test_killed_between_two_scrapes(exporter, memcached):
    victim, other = memcached(), memcached()
    started = exporter(targets=[victim.address, other.address])
    assert ups(started.exposition()) == {victim.address: "1", other.address: "1"}
    victim.kill()
    got = started.exposition()
    assert ups(got) == {victim.address: "0", other.address: "1"}
    assert got.state(instance=victim.address) == "refused"
    assert got.find("memcached_uptime_seconds", instance=victim.address) == []


def test_restarted_between_two_scrapes(exporter, memcached):
    server = memcached()
    started = exporter(targets=[server.address])
    assert started.exposition().value("memcached_up") == "1"
    server.restart()
    got = started.exposition()
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_target_connection_reused") == "0"


def test_a_kept_connection_that_dies_under_the_request_is_retried(exporter, fake):
    """What a server with idle_timeout does: it takes the bytes of the second poll and hangs up."""

    def once(connection):
        for _ in range(4):
            connection.send(PLAIN[connection.line()])
        connection.line()

    server = fake(script=once)
    started = exporter(targets=[server.address])
    for polls in range(1, 4):
        got = started.exposition()
        assert (got.value("memcached_up"), got.state()) == ("1", "up")
        assert server.connections == polls


def test_a_fresh_connection_that_dies_is_not_retried(exporter, fake):
    server = fake(script=lambda connection: connection.line())
    assert exporter(targets=[server.address]).exposition().value("memcached_up") == "0"
    assert server.connections == 1


def test_at_its_connection_limit(exporter, memcached):
    server = memcached("-c", "20", "-o", "maxconns_fast")
    held = server.fill()
    try:
        got = exporter(targets=[server.address]).exposition()
        assert (got.value("memcached_up"), got.state()) == ("0", "overloaded")
    finally:
        for client in held:
            client.close()


def test_a_kept_connection_outlives_the_connection_limit(exporter, memcached):
    server = memcached("-c", "20", "-o", "maxconns_fast")
    started = exporter(targets=[server.address])
    assert started.exposition().value("memcached_up") == "1"
    held = server.fill()
    try:
        got = started.exposition()
        assert (got.value("memcached_up"), got.value("memcached_target_connection_reused")) == ("1", "1")
        assert int(got.value("memcached_connections_rejected_total")) > 0
    finally:
        for client in held:
            client.close()


def test_one_connection_for_many_scrapes(exporter, memcached):
    server = memcached()
    started = exporter(targets=[server.address])
    before = int(server.stats()["stats"]["total_connections"])
    for _ in range(50):
        assert started.exposition().value("memcached_up") == "1"
    assert int(server.stats()["stats"]["total_connections"]) - before == 1


def test_idle_timeout_0_opens_fresh_connections(exporter, memcached):
    server = memcached()
    started = exporter("--memcached.idle-timeout=0", targets=[server.address])
    before = int(server.stats()["stats"]["total_connections"])
    alone = int(server.stats()["stats"]["curr_connections"])
    for _ in range(5):
        got = started.exposition()
        assert got.value("memcached_target_connection_reused") == "0"
    assert int(server.stats()["stats"]["total_connections"]) - before == 5
    wait_until(lambda: int(server.stats()["stats"]["curr_connections"]) == alone, "the last connection to be closed", 5)


def test_idle_connection_is_closed(exporter, memcached):
    server = memcached()
    alone = int(server.stats()["stats"]["curr_connections"])
    started = exporter("--memcached.idle-timeout=500ms", targets=[server.address])
    started.exposition()
    assert int(server.stats()["stats"]["curr_connections"]) == alone + 1
    wait_until(lambda: int(server.stats()["stats"]["curr_connections"]) == alone, "the idle connection to be closed", 5)


def test_overlapping_scrapes_share_one_poll(exporter, fake):
    asked = threading.Event()

    def slow(connection):
        while line := connection.line():
            if line == "stats":
                asked.set()
                time.sleep(0.5)
            connection.send(PLAIN[line])

    server = fake(script=slow)
    started = exporter("--memcached.timeout=5s", targets=[server.address])
    answers = []
    scrapes = [threading.Thread(target=lambda: answers.append(started.exposition())) for _ in range(5)]
    scrapes[0].start()
    assert asked.wait(5)
    for scrape in scrapes[1:]:
        scrape.start()
    for scrape in scrapes:
        scrape.join(10)
    assert [got.value("memcached_up") for got in answers] == ["1"] * 5
    assert server.count("stats") == 1
    assert started.exposition().value("memcached_up") == "1"
    # So slow an answer on a kept connection is asked for once more on a fresh one.
    assert server.count("stats") == 3


@pytest.mark.parametrize("interval, header, timeout", [(1.0, "0.95", "10s"), (0.4, "2", "600ms")])
def test_a_dead_poll_is_not_kept_alive_by_overlapping_scrapes(exporter, fake, interval, header, timeout):
    """The kept connection goes silent for ever, new ones work: one scrape of each asker may be lost, not all that follow."""

    def goes_silent(connection):
        with connection.server.lock:
            number = connection.server.connections
        while line := connection.line():
            if number == 1 and connection.server.count("stats") > 1:
                connection.wait_for_end()
                return
            connection.send(PLAIN[line])

    server = fake(script=goes_silent)
    started = exporter("--scrape.timeout-offset=50ms", f"--memcached.timeout={timeout}", targets=[server.address])
    assert started.exposition().value("memcached_up") == "1"
    ups_of = {0: [], 1: []}

    def ask(n):
        time.sleep(n * interval / 2)
        for _ in range(5):
            begin = time.monotonic()
            got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": header})
            ups_of[n].append(got.value("memcached_up"))
            time.sleep(max(0, interval - (time.monotonic() - begin)))

    askers = [threading.Thread(target=ask, args=(n,)) for n in ups_of]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert all(seen.count("0") <= 1 and seen[-1] == "1" for seen in ups_of.values()), ups_of


def test_the_impatient_one_of_a_shared_poll_gets_its_answer_in_time(exporter, fake):
    def slow(connection):
        while line := connection.line():
            if line == "stats":
                time.sleep(1.5)
            connection.send(PLAIN[line])

    started = exporter("--memcached.timeout=5s", targets=[fake(script=slow).address])
    answers = []
    patient = threading.Thread(target=lambda: answers.append(started.exposition()))
    patient.start()
    time.sleep(0.2)
    begin = time.monotonic()
    impatient = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.8"})
    assert time.monotonic() - begin < 0.8
    assert impatient.state() == "timeout"
    patient.join(10)
    assert answers[0].state() == "up"


def test_a_server_that_is_silent_to_the_end_costs_the_others_no_sample(exporter, fake):
    """Waiting for it ends early enough for an answer with all samples of those who have answered."""

    def talks(connection):
        while line := connection.line():
            connection.send(PLAIN[line])

    def is_silent(connection):
        connection.wait_for_end()

    healthy = fake(script=talks)
    started = exporter("--memcached.timeout=10s", targets=[healthy.address, fake(script=is_silent).address])
    for _ in range(10):
        got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.5"})
        assert [labels["instance"] for labels, value in got.find("memcached_up") if value == "1"] == [healthy.address]
        assert {value for _, value in got.find("memcached_target_truncated")} == {"0"}


def test_the_same_target_twice_is_one(twenty, exporter):
    address = twenty[0].address
    got = exporter(targets=[address, address, twenty[1].address]).exposition()
    assert ups(got) == {address: "1", twenty[1].address: "1"}


def test_no_target_at_all(exporter):
    got = exporter().exposition()
    assert got.find("memcached_up") == []
    assert got.find("memcached_exporter_build_info") != []
