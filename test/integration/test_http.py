"""The HTTP surface as bytes on a socket: what clients, proxies and attackers send."""

import threading
import time

import pytest

from support import http
from support.exposition import Exposition
from support.fake import PLAIN

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"


@pytest.fixture
def started(exporter):
    return exporter()


def silent(connection):
    connection.wait_for_end()


def get_line(path, *headers):
    return b"GET " + path + b" HTTP/1.1\r\n" + b"".join(h + b"\r\n" for h in (b"Host: x", *headers)) + b"\r\n"


def still_serves(started):
    return started.get("/-/healthy").status == 200


# What works.

def test_keep_alive(started):
    conn = http.connection(started.where)
    assert http.request(conn, "/-/healthy").status == 200
    local = conn.sock.getsockname()
    for path in ("/metrics", "/", "/none", "/-/ready"):
        http.request(conn, path)
        assert conn.sock is not None and conn.sock.getsockname() == local, path
    conn.close()


def test_connection_close_is_obeyed(started):
    answer = http.raw(started.where, get_line(b"/-/healthy", b"Connection: close"))
    assert (answer.status, answer.closed) == (200, True)


def test_pipelined_requests_are_answered_in_order(started, memcached):
    with http.RawClient(started.where) as client:
        target = memcached().address.encode()
        client.send(GET % b"/-/healthy" + GET % b"/none" + GET % (b"/scrape?target=" + target) + GET % b"/-/ready")
        answers = [client.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 404, 200, 200]
    assert Exposition(answers[2].body).value("memcached_up") == "1"


def test_a_request_in_single_bytes(started):
    with http.RawClient(started.where) as client:
        for byte in GET % b"/-/healthy":
            client.send(bytes([byte]))
        assert client.answer().status == 200


def test_head_is_get_without_the_body(started, memcached):
    path = f"/scrape?target={memcached().address}".encode()
    with http.RawClient(started.where) as client:
        for where, kind in ((path, "text/plain"), (b"/", "text/html"), (b"/-/healthy", "text/plain")):
            client.send(b"HEAD " + where + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = client.answer(head_only=True)
            assert answer.status == 200
            assert answer.headers["content-type"].startswith(kind)
        client.send(GET % b"/none")
        assert client.answer().status == 404, "a body came after HEAD"


def test_http_1_0(started, memcached):
    path = f"/scrape?target={memcached().address}".encode()
    answer = http.raw(started.where, b"GET " + path + b" HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.closed) == (200, True)
    assert "transfer-encoding" not in answer.headers
    assert Exposition(answer.body).value("memcached_up") == "1"


def test_http_1_0_keep_alive(started):
    with http.RawClient(started.where) as client:
        for _ in range(2):
            client.send(b"GET /-/healthy HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert client.answer().status == 200


def test_gzip_is_the_same_answer(exporter, fake):
    """Large enough to be compressed in several pieces; from a script, so that both answers are equal."""
    slabs = b"".join(b"STAT %d:get_hits %d\r\n" % (slab, slab * 7919) for slab in range(1, 64)) + b"END\r\n"
    targets = [fake({"stats slabs": slabs}).address for _ in range(30)]
    started = exporter("--web.disable-exporter-metrics", targets=targets)
    started.get("/metrics")
    plain = started.get("/metrics")
    packed = started.get("/metrics", {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert len(packed.body) * 4 < len(plain.body) > 100000

    def lines(text):
        return [line for line in text.decode().splitlines() if not line.startswith("memcached_target_scrape_duration")]

    assert lines(http.gunzip(packed)) == lines(plain.body)


@pytest.mark.parametrize("accepts", ["identity", "gzip;q=0", "br", "*;q=0, identity"])
def test_no_gzip_for_those_who_do_not_want_it(started, accepts):
    answer = started.get("/metrics", {"Accept-Encoding": accepts})
    assert "content-encoding" not in answer.headers
    assert Exposition(answer.body).samples


def test_index_links_to_the_rest_without_touching_a_memcached(exporter, fake):
    server = fake()
    answer = exporter(targets=[server.address]).get("/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/metrics"' in answer.text
    assert server.connections == 0


def test_health_touches_no_memcached(exporter, fake):
    server = fake()
    started = exporter(targets=[server.address])
    for path in ("/-/healthy", "/-/ready"):
        for method in ("GET", "HEAD"):
            assert started.get(path, method=method).status == 200
    assert server.connections == 0


# What is refused, and with which status.

@pytest.mark.parametrize("path", ["/none", "/metrics/", "/Metrics", "/-/", "//metrics", "/metrics%2F"])
def test_unknown_path(started, path):
    assert started.get(path).status == 404


@pytest.mark.parametrize("path, allowed", [("/metrics", {"GET", "HEAD"}), ("/scrape?target=127.0.0.1:1", {"GET", "HEAD"}),
                                           ("/", {"GET", "HEAD", "POST"}), ("/-/healthy", {"GET", "HEAD"})])
@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods(started, method, path, allowed):
    answer = started.get(path, method=method)
    assert answer.status == 405
    assert {word.strip() for word in answer.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("data", [
    get_line(b"/" + b"a" * 70 * 1024),
    get_line(b"/scrape?target=" + b"a" * 70 * 1024),
    get_line(b"/", b"X: " + b"a" * 17 * 1024),
    get_line(b"/", *(b"X-%d: a" % i for i in range(2000))),
    b"GET / HTTP/1.1\r\nX: " + b"a" * 17 * 1024,  # never ends
])
def test_heads_over_16_kib(started, data):
    answer = http.raw(started.where, data)
    assert (answer.status, answer.closed) == (431, True)
    assert still_serves(started)


def test_a_head_just_under_16_kib_is_taken(started):
    assert http.raw(started.where, get_line(b"/-/healthy", b"X: " + b"a" * (15 * 1024))).status == 200


@pytest.mark.parametrize("data", [
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])
def test_a_body_is_refused(started, data):
    answer = http.raw(started.where, data)
    assert (answer.status, answer.closed) == (413, True)
    assert still_serves(started)


BAD = {
    "length and encoding": get_line(b"/", b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    "two lengths": get_line(b"/", b"Content-Length: 0", b"Content-Length: 1"),
    "length no number": get_line(b"/", b"Content-Length: 0x1"),
    "obs-fold": get_line(b"/", b"A: b", b" c: d"),
    "obs-fold by tab": get_line(b"/", b"A: b", b"\tc"),
    "bare CR in a value": get_line(b"/", b"A: b\rc: d"),
    "bare CR in the URL": get_line(b"/a\rb"),
    "blank before the colon": get_line(b"/", b"A : b"),
    "tab before the colon": get_line(b"/", b"A\t: b"),
    "blank before the colon of a length": get_line(b"/", b"Content-Length : 0"),
    "no colon": get_line(b"/", b"nonsense"),
    "no name": get_line(b"/", b": b"),
    "NUL in the URL": get_line(b"/a\0b"),
    "NUL in a value": get_line(b"/", b"A: b\0c"),
    "control character in the URL": get_line(b"/a\x01b"),
    "no version": b"GET /\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello \r\n\r\n",
    "garbage": b"stats\r\n\r\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_two_parsers_may_read_differently(started, data):
    answer = http.raw(started.where, data)
    assert (answer.status, answer.closed) == (400, True)
    assert len(answer.text.splitlines()) == 1
    assert still_serves(started)


@pytest.mark.parametrize("path", [b"/scrape?target=%", b"/scrape?target=%4", b"/scrape?target=%zz", b"/scrape?target=a%00b",
                                  b"/scrape?%=1&target=a", b"/%", b"/%zz", b"/%00"])
def test_bad_escapes(started, path):
    assert http.raw(started.where, GET % path).status == 400
    assert still_serves(started)


def test_escaped_path_is_the_same_path(started):
    assert http.raw(started.where, GET % b"/%6Detrics").status == 200


def test_http_2_preface_and_future_versions(started):
    assert http.raw(started.where, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status in (400, 505)
    assert http.raw(started.where, b"GET / HTTP/3.0\r\nHost: x\r\n\r\n").status in (400, 505)


# Time and number.

def test_half_a_head_is_given_8_seconds(started):
    begin = time.monotonic()
    with http.RawClient(started.where) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHos")
        assert client.answer().status == 408
        assert 7.5 < time.monotonic() - begin < 9.5
        assert client.rest() == b""
    assert still_serves(started)


def test_a_slow_client_does_not_hold_the_others(exporter, fake):
    slabs = b"".join(b"STAT %d:get_hits 1\r\n" % slab for slab in range(1, 64)) + b"END\r\n"
    started = exporter(targets=[fake({"stats slabs": slabs}).address for _ in range(50)])
    with http.RawClient(started.where) as slow:
        for _ in range(20):
            slow.send(GET % b"/metrics")
        time.sleep(0.3)
        for _ in range(5):
            begin = time.monotonic()
            assert started.get("/metrics").status == 200
            assert time.monotonic() - begin < 2
        assert slow.answer().status == 200


def test_a_client_that_leaves_in_the_middle(exporter, fake):
    held = fake(script=silent)
    started = exporter("--memcached.timeout=300ms", targets=[held.address])
    for _ in range(5):
        with http.RawClient(started.where) as client:
            client.send(GET % b"/metrics")
    assert started.exposition().state() == "timeout"


def test_max_connections(exporter):
    started = exporter("--web.max-connections=3")
    busy = [http.RawClient(started.where) for _ in range(3)]
    for client in busy:
        client.send(b"GET / HTTP/1.1\r\n")
    time.sleep(0.2)
    answer = http.raw(started.where, GET % b"/-/healthy")
    assert (answer.status, answer.closed) == (503, True)
    busy[0].send(b"Host: x\r\n\r\n")
    assert busy[0].answer().status == 200
    for client in busy:
        client.close()
    time.sleep(0.2)
    assert still_serves(started)


def test_idle_connections_make_room(exporter):
    started = exporter("--web.max-connections=2")
    idle = [http.RawClient(started.where) for _ in range(2)]
    for client in idle:
        client.send(GET % b"/-/healthy")
        assert client.answer().status == 200
    assert still_serves(started)
    for client in idle:
        client.close()


def test_max_requests(exporter, fake):
    held = fake(script=silent)
    started = exporter("--web.max-requests=1", "--memcached.timeout=2s", targets=[held.address])
    answers = []
    first = threading.Thread(target=lambda: answers.append(started.get("/metrics")))
    first.start()
    time.sleep(0.5)
    second = started.get("/scrape?target=" + held.address)
    assert second.status == 503
    assert int(second.headers["retry-after"]) > 0
    assert still_serves(started), "a probe must not fail because a scrape is slow"
    first.join(10)
    assert answers[0].status == 200
    assert started.get("/metrics").status == 200


# The deadline that Prometheus sends.

def timed(started, value):
    begin = time.monotonic()
    got = started.exposition(headers={SCRAPE_TIMEOUT: value})
    return time.monotonic() - begin, got


def test_header_less_the_offset(exporter, fake):
    started = exporter("--memcached.timeout=5s", targets=[fake(script=silent).address])
    seconds, got = timed(started, "0.75")
    assert 0.45 < seconds < 0.75
    assert got.state() == "timeout"


def test_offset_of_choice(exporter, fake):
    started = exporter("--memcached.timeout=5s", "--scrape.timeout-offset=800ms", targets=[fake(script=silent).address])
    assert 0.15 < timed(started, "1.0")[0] < 0.75


def test_header_smaller_than_the_offset_is_halved(exporter, fake):
    started = exporter("--memcached.timeout=5s", targets=[fake(script=silent).address])
    timed(started, "0.1")
    tries = [timed(started, "0.1")[0] for _ in range(5)]
    assert 0.03 < min(tries) < 0.1, tries


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf", "1s", "0x1", "1 2", "1e999"])
def test_header_that_is_no_time_is_ignored_with_a_line(exporter, fake, value):
    started = exporter("--memcached.timeout=400ms", targets=[fake(script=silent).address])
    started.exposition()
    lines = len(started.log())
    seconds, got = timed(started, value)
    assert seconds > 0.35
    assert got.state() == "timeout"
    new = [line for line in started.log()[lines:] if value in line.values()]
    assert len(new) == 1 and new[0]["level"] == "WARN", started.log()[lines:]


def test_header_larger_than_the_timeout(exporter, fake):
    started = exporter("--memcached.timeout=300ms", targets=[fake(script=silent).address])
    assert 0.25 < timed(started, "1e3")[0] < 1


def test_header_counts_for_scrape_too(exporter, fake):
    held = fake(script=silent)
    started = exporter("--memcached.timeout=5s")
    begin = time.monotonic()
    assert started.scrape(held.address, headers={SCRAPE_TIMEOUT: "0.5"}).state() == "timeout"
    assert time.monotonic() - begin < 0.5


def test_a_target_that_just_makes_it_is_up(exporter, fake):
    def slow(connection):
        while line := connection.line():
            if line == "stats":
                time.sleep(0.3)
            connection.send(PLAIN[line])

    started = exporter("--memcached.timeout=5s", targets=[fake(script=slow).address])
    assert timed(started, "1")[1].state() == "up"
