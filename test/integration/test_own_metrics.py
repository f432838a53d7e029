"""What the exporter says of itself: after known actions, the counts are known."""

import os
import threading
import time

import pytest

from support import http
from support.fake import PLAIN, reply
from support.openmetrics import OpenMetrics
from support.process import wait_until

PREFIX = "memcached_exporter_"
STATES = ("up", "refused", "timeout", "unresolved", "unreachable", "protocol_error", "auth_failed", "tls_error", "forbidden",
          "overloaded")


class Own:
    """One reading of the exporter's own metrics, in the format that says most and by the reader that insists most."""

    def __init__(self, running):
        answer = running.get("/metrics", {"Accept": "application/openmetrics-text"})
        assert answer.status == 200, answer
        self.all = OpenMetrics(answer.body)
        self.bytes = len(answer.body)

    def __call__(self, name, **labels):
        value = self.all.value(PREFIX + name, **labels)
        assert value is not None, f"no {name}{labels}"
        return float(value)

    def by(self, name, label):
        """{value of the label: count} of those that are not 0."""
        return {dict(labels)[label]: int(value) for (have, labels), value in self.all.samples.items()
                if have == PREFIX + name and value != "0"}


def silent(connection):
    connection.wait_for_end()


# Requests

def test_requests_by_handler_and_code(exporter):
    running = exporter()
    before = Own(running).all
    for path, method in (("/", "GET"), ("/", "GET"), ("/", "HEAD"), ("/-/healthy", "GET"), ("/nope", "GET"), ("/other", "GET"),
                         ("/scrape", "GET"), ("/probe?target=a%20b", "GET"), ("/scrape?target=127.0.0.1:1", "GET"),
                         ("/metrics", "POST"), ("/metrics?collect[]=nope", "GET"), ("/metrics", "HEAD"),
                         ("/scrape?target=127.0.0.1:1&fail=true", "GET")):
        running.get(path, method=method)
    http.raw(running.where, b"nonsense\r\n\r\n")
    after = Own(running).all

    grown = {}
    for (name, labels), value in after.samples.items():
        if name == PREFIX + "http_requests_total":
            had = before.samples.get((name, labels), "0")
            grown[dict(labels)["handler"], dict(labels)["code"]] = int(value) - int(had)
    assert {key: count for key, count in grown.items() if count} == {
        ("root", "200"): 3, ("healthy", "200"): 1, ("none", "404"): 2, ("scrape", "400"): 2, ("scrape", "200"): 1,
        ("scrape", "502"): 1, ("metrics", "405"): 1, ("metrics", "400"): 1, ("metrics", "200"): 2, ("", "400"): 1}


def test_handlers_are_not_paths(exporter):
    """Whoever makes up paths makes no series."""
    running = exporter("--web.telemetry-path=/own", "--web.scrape-path=/ask")
    for number in range(300):
        running.get(f"/made-up-{number}")
    running.get("/ask?target=127.0.0.1:1")
    body = running.get("/own").text
    assert PREFIX + 'http_requests_total{handler="none",code="404"} 300' in body
    assert PREFIX + 'http_requests_total{handler="scrape",code="200"} 1' in body
    assert "made-up" not in body


def test_rejected_for_too_many_requests(exporter, fake):
    held = fake(script=silent)
    running = exporter("--web.max-requests=1", "--memcached.timeout=1s")
    first = threading.Thread(target=running.get, args=("/scrape?target=" + held.address,))
    first.start()
    wait_until(lambda: held.connections, "the first scrape")
    assert [running.get("/metrics").status for _ in range(3)] == [503] * 3
    first.join(10)
    own = Own(running)
    assert own.by("http_requests_rejected_total", "reason") == {"max_requests": 3}
    assert own("http_requests_total", handler="metrics", code="503") == 3


def test_rejected_for_too_many_connections(exporter):
    running = exporter("--web.max-connections=2")
    busy = [http.RawClient(running.where) for _ in range(2)]
    for client in busy:
        client.send(b"GET / HTTP/1.1\r\n")
    time.sleep(0.2)
    for _ in range(2):
        assert http.raw(running.where, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 503
    for client in busy:
        client.close()
    time.sleep(0.2)
    assert Own(running).by("http_requests_rejected_total", "reason") == {"max_connections": 2}


def test_rejected_as_bad(exporter):
    running = exporter()
    for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 70000):
        with http.RawClient(running.where) as client:
            client.send(data)
            assert client.answer().status in (400, 414, 431)
    assert Own(running).by("http_requests_rejected_total", "reason") == {"bad_request": 3}


def test_requests_in_flight(exporter, fake):
    held = fake(script=silent)
    running = exporter("--memcached.timeout=1500ms")
    threads = [threading.Thread(target=running.get, args=("/scrape?target=" + held.address,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: held.connections, "the scrapes")
    time.sleep(0.2)
    assert Own(running)("http_requests_in_flight") == 4  # with the one that asks
    for thread in threads:
        thread.join(10)
    assert Own(running)("http_requests_in_flight") == 1


def test_http_connections(exporter):
    running = exporter()
    before = Own(running)
    idle = [http.RawClient(running.where) for _ in range(3)]
    time.sleep(0.2)
    own = Own(running)
    assert own("http_open_connections") == 4
    assert own("http_connections_total") - before("http_connections_total") == 4
    for client in idle:
        client.close()
    time.sleep(0.2)
    assert Own(running)("http_open_connections") == 1


def test_response_sizes_and_durations(exporter):
    running = exporter()
    before = Own(running)
    sizes = []
    for _ in range(20):
        with http.RawClient(running.where) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            sizes.append(len(client.rest()))
    own = Own(running)
    size, duration = "http_response_size_bytes", "http_response_duration_seconds"
    # The answer of `before` itself was counted after it was made.
    assert own(size + "_count") - before(size + "_count") == own(duration + "_count") - before(duration + "_count") == 21
    first = own(size + "_sum") - before(size + "_sum") - sum(sizes)
    assert before.bytes < first < before.bytes + 400
    assert own(size, quantile="0.5") == pytest.approx(sizes[0], rel=0.01)
    assert own(size, quantile="0.9") == pytest.approx(sizes[0], rel=0.01)
    assert 0 < own(duration, quantile="0.5") <= own(duration, quantile="0.9") <= own(duration, quantile="0.99") < 5


def test_requests_and_summaries_count_alike(exporter):
    running = exporter()
    for path in ("/", "/nope", "/metrics", "/scrape"):
        running.get(path)
    http.raw(running.where, b"nonsense\r\n\r\n")
    own = Own(running)
    requests = sum(float(value) for (name, _), value in own.all.samples.items() if name == PREFIX + "http_requests_total")
    assert requests == own("http_response_size_bytes_count") == own("http_response_duration_seconds_count")


# Polls

def test_scrapes_by_result(exporter, fake, dead_address):
    server = fake()
    running = exporter(targets=[server.address, dead_address])
    for query, times in ((f"target={server.address}", 3), (f"target={dead_address}", 2)):
        for _ in range(times):
            running.get("/scrape?" + query)
    running.get("/metrics")
    own = Own(running)
    assert own.by("scrapes_total", "result") == {"complete": 3, "down": 2, "partial": 2}
    assert own("scrape_duration_seconds_count") == 7
    assert own("targets") == 2


def test_target_scrapes_by_state(exporter, fake, dead_address):
    running = exporter("--memcached.timeout=1s")
    up, held, garbage = fake(), fake(script=silent), fake({"stats": b"HTTP/1.1 400 Bad Request\r\n\r\n"})
    for address, times in ((up.address, 4), (held.address, 1), (garbage.address, 2), (dead_address, 3), ("no-such-host.invalid", 1)):
        for _ in range(times):
            running.get("/scrape?target=" + address)
    own = Own(running)
    assert own.by("target_scrapes_total", "state") == {
        "up": 4, "timeout": 1, "protocol_error": 2, "refused": 3, "unresolved": 1}
    assert {dict(labels)["state"] for name, labels in own.all.samples if name == PREFIX + "target_scrapes_total"} == set(STATES)
    assert own("target_scrape_duration_seconds_count") == 11
    assert own("target_scrape_duration_seconds_bucket", le="+Inf") - own("target_scrape_duration_seconds_bucket", le="0.25") >= 1
    assert 0.3 < own("target_scrape_duration_seconds_sum") < 2


def test_connections_opened_reused_and_open(exporter, fake):
    servers = [fake() for _ in range(3)]
    running = exporter(targets=[server.address for server in servers])
    for number in range(1, 4):
        own = Own(running)
        assert own("target_open_connections") == 3
        assert own("target_connections_opened_total") == 3
        assert own("target_connections_reused_total") == 3 * (number - 1)
    servers[0].close()
    wait_until(lambda: Own(running)("target_open_connections") == 2, "the closed connection to be noticed")
    assert [server.connections for server in servers] == [1, 1, 1]


def test_connections_that_are_not_kept(exporter, fake):
    server = fake()
    running = exporter("--memcached.idle-timeout=0s", targets=[server.address])
    for _ in range(3):
        running.get("/metrics")
    own = Own(running)
    assert own("target_connections_opened_total") == server.connections == 4
    assert own("target_connections_reused_total") == 0
    wait_until(lambda: Own(running)("target_open_connections") <= 1, "the connections to go")


def test_refused_connections_are_not_opened(exporter, dead_address):
    running = exporter(targets=[dead_address])
    Own(running)
    assert Own(running)("target_connections_opened_total") == 0


def test_coalesced(exporter, fake):
    def slow(connection):
        while line := connection.line():
            time.sleep(0.2)
            connection.send(PLAIN[line])

    server = fake(script=slow)
    running = exporter("--memcached.timeout=5s")
    threads = [threading.Thread(target=running.get, args=("/scrape?target=" + server.address,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    own = Own(running)
    assert own("target_scrapes_coalesced_total") == 4
    assert own.by("target_scrapes_total", "state") == {"up": 1}
    assert own("scrapes_total", result="complete") == 6  # with this one, of no targets
    assert server.count("stats") == 1


def test_bytes_are_what_the_server_sent_and_got(exporter, fake):
    server = fake()
    running = exporter("--memcached.idle-timeout=0s")
    for _ in range(3):
        running.get("/scrape?target=" + server.address)
    own = Own(running)
    assert own("target_read_bytes_total") == 3 * sum(map(len, PLAIN.values()))
    assert own("target_written_bytes_total") == sum(map(len, server.writes)) == 3 * sum(len(line) + 2 for line in PLAIN)


def test_bytes_of_answers_that_are_no_good_count_too(exporter, fake):
    server = fake({"stats": b"garbage\r\n"})
    running = exporter()
    running.get("/scrape?target=" + server.address)
    assert Own(running)("target_read_bytes_total") >= len(b"garbage\r\n")


def test_parse_errors_by_kind(exporter, fake):
    values = fake({"stats": reply("version 1.6.18", "curr_items many", "uptime -", "total_items 5")})
    garbage = fake({"stats": b"garbage\r\n"})
    running = exporter()
    assert Own(running).by("parse_errors_total", "kind") == {}
    running.get(f"/scrape?target={values.address}")
    running.get(f"/scrape?target={values.address}")
    running.get(f"/scrape?target={garbage.address}")
    assert Own(running).by("parse_errors_total", "kind") == {"value": 4, "protocol": 1}


def test_dns(exporter, memcached):
    running = exporter("--memcached.timeout=3s")
    running.get("/scrape?target=127.0.0.1:1")
    own = Own(running)
    assert (own("dns_lookups_total"), own("dns_queries_total"), own("dns_failures_total")) == (0, 0, 0)

    running.get("/scrape?target=no-such-host.invalid:11211")
    own = Own(running)
    assert (own("dns_lookups_total"), own("dns_queries_total"), own("dns_failures_total")) == (1, 1, 1)

    running.get("/scrape?target=no-such-host.invalid:11211&target=no-such-host.invalid:11212")
    own = Own(running)
    assert own("dns_lookups_total") == 3
    assert own("dns_queries_total") == own("dns_failures_total") <= 2

    running.get(f"/scrape?target=localhost:{memcached().port}")
    own = Own(running)
    assert own("dns_lookups_total") == 4
    assert own("dns_failures_total") <= 2


def test_exemplar_names_the_slow_target(exporter, fake):
    def slow(connection):
        while line := connection.line():
            time.sleep(0.15)
            connection.send(PLAIN[line])

    quick, late = fake(), fake(script=slow)
    running = exporter("--memcached.timeout=5s", targets=[quick.address, late.address])
    running.get("/metrics")
    found = {sample.labels["le"]: sample.exemplar for sample in Own(running).all.exemplars()}
    assert found["1.0"][0] == {"target": late.address}
    assert 0.5 < float(found["1.0"][1]) < 1
    assert abs(float(found["1.0"][2]) - time.time()) < 30


# The loop and the process

def test_event_loop_lag(exporter):
    running = exporter()
    first = Own(running)
    for _ in range(20):
        running.get("/")
    own = Own(running)
    assert own("event_loop_lag_seconds_count") - first("event_loop_lag_seconds_count") >= 20
    before, begin = own("event_loop_lag_seconds_sum"), time.monotonic()
    time.sleep(1)
    grown = Own(running)("event_loop_lag_seconds_sum") - before
    assert 0 < grown < 0.5, f"waiting for {time.monotonic() - begin} s is no lag"


def test_created_is_the_start(exporter):
    before = time.time()
    own = Own(exporter())
    for name in ("scrape_duration_seconds", "target_scrape_duration_seconds", "http_response_size_bytes"):
        assert before - 1 < own(name + "_created") < time.time()


def test_process_metrics(exporter):
    running = exporter(release=True)
    got = Own(running).all
    value = {name: float(number) for (name, _), number in got.samples.items() if name.startswith("process_")}
    page = os.sysconf("SC_PAGE_SIZE")
    with open(f"/proc/{running.pid}/statm", encoding="ascii") as file:
        virtual, resident = [int(word) * page for word in file.read().split()[:2]]
    assert value["process_open_fds"] in (running.descriptors(), running.descriptors() + 1)  # the connection that asks
    assert value["process_threads"] == len(os.listdir(f"/proc/{running.pid}/task"))
    assert value["process_resident_memory_bytes"] == pytest.approx(resident, rel=0.2)
    assert value["process_virtual_memory_bytes"] == pytest.approx(virtual, rel=0.2)
    assert abs(value["process_start_time_seconds"] - time.time()) < 30
    assert 0 <= value["process_cpu_seconds_total"] < 10
    assert value["process_max_fds"] >= 1024
    assert value["process_network_receive_bytes_total"] > 0


def test_process_cpu_grows(exporter):
    running = exporter()
    before = float(Own(running).all.value("process_cpu_seconds_total"))
    wait_until(lambda: float(Own(running).all.value("process_cpu_seconds_total")) > before, "some work")


def test_build_info(exporter):
    got = Own(exporter()).all
    labels = [dict(labels) for name, labels in got.samples if name == PREFIX + "build_info"]
    assert len(labels) == 1
    assert labels[0]["version"] and labels[0]["revision"] and labels[0]["goos"] == "linux"


# What can be left out, and what can be added

def test_disable_exporter_metrics(exporter, memcached):
    server = memcached()
    running = exporter("--web.disable-exporter-metrics", targets=[server.address])
    names = running.exposition().names()
    assert not [name for name in names if name.startswith((PREFIX, "process_"))]
    assert "memcached_up" in names and "memcached_current_items" in names


def test_pid_file(exporter, memcached, tmp_path):
    server = memcached()
    file = tmp_path / "memcached.pid"
    file.write_text(f"{server.process.pid}\n")
    running = exporter(f"--memcached.pid-file={file}", targets=[server.address])
    got = running.exposition()
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert float(got.value("memcached_process_resident_memory_bytes")) == pytest.approx(resident, rel=0.1)
    assert got.value("memcached_process_open_fds") == str(len(os.listdir(f"/proc/{server.process.pid}/fd")))
    assert abs(float(got.value("memcached_process_start_time_seconds")) - time.time()) < 60
    assert float(got.value("memcached_process_threads")) == len(os.listdir(f"/proc/{server.process.pid}/task"))
    assert got.value("memcached_process_cpu_seconds_total")
    named = running.scrape(server.address)
    assert named.value("memcached_process_open_fds") is None, "a server that is named by URL need not be this one"


def test_pid_file_follows_a_restart(exporter, memcached, tmp_path):
    server = memcached()
    file = tmp_path / "memcached.pid"
    running = exporter(f"--memcached.pid-file={file}", targets=[server.address])
    assert running.exposition().value("memcached_process_open_fds") is None, "there is no file yet"
    file.write_text(f"{server.process.pid}\n")
    first = running.exposition().value("memcached_process_start_time_seconds")
    server.kill()
    assert running.exposition().value("memcached_process_start_time_seconds") is None, "the process is gone"
    time.sleep(0.05)
    server.start()
    file.write_text(f"{server.process.pid}\n")
    second = running.exposition().value("memcached_process_start_time_seconds")
    assert float(second) > float(first)


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "0\n", "99999999999999999999\n", "1 2\n", "\0" * 5000])
def test_pid_file_of_nonsense(exporter, tmp_path, content):
    file = tmp_path / "memcached.pid"
    file.write_text(content)
    got = exporter(f"--memcached.pid-file={file}").exposition()
    assert not [name for name in got.names() if name.startswith("memcached_process_")]


def test_pid_file_without_the_exporters_own(exporter, memcached, tmp_path):
    server = memcached()
    file = tmp_path / "memcached.pid"
    file.write_text(str(server.process.pid))
    running = exporter(f"--memcached.pid-file={file}", "--web.disable-exporter-metrics", targets=[server.address])
    assert running.exposition().value("memcached_process_open_fds")
    assert running.exposition().value("process_open_fds") is None
