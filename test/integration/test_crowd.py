"""Crowds of clients that are silent, drip, idle or do not read: whoever scrapes from an address of its own is answered."""

import http.client
import resource
import socket
import threading
import time

import pytest

from support.exposition import Exposition
from support.process import wait_until

SILENT = b""
DRIP = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: "
IDLE = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
GREEDY = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

# Far below what Prometheus waits for, far above what an answer takes on a busy machine.
IN_TIME_S = 5.0


@pytest.fixture(autouse=True)
def descriptors():
    """As many as the system allows: both ends of each connection are on this machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Clients that say a few bytes and then read nothing."""

    def __init__(self):
        self.socks = []

    def join(self, where, count, says, source="127.0.0.2"):
        """`source`: an address, or a function of the client's number that gives one."""
        for number in range(count):
            sock = socket.socket()
            self.socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(20)
            sock.bind((source(number) if callable(source) else source, 0))
            sock.connect(where)
            if says:
                sock.sendall(says)
            sock.setblocking(False)

    def drip(self):
        """One byte more from each that is still connected."""
        for sock in self.socks:
            try:
                sock.send(b"x")
            except OSError:
                pass

    def leave(self):
        for sock in self.socks:
            sock.close()
        self.socks = []


@pytest.fixture
def crowd():
    made = Crowd()
    yield made
    made.leave()


class Scraper:
    """Scrapes as Prometheus does: over a connection that it keeps, and over a new one when that was closed."""

    def __init__(self, started, source="127.0.0.9"):
        self.where, self.source = started.where, source
        self.kept, self.took = None, []

    def scrape(self):
        begun = time.monotonic()
        for attempt in (1, 2):
            fresh = self.kept is None
            if fresh:
                self.kept = http.client.HTTPConnection(*self.where, timeout=20, source_address=(self.source, 0))
            try:
                self.kept.request("GET", "/metrics", headers={"Accept-Encoding": "identity"})
                answer = self.kept.getresponse()
                assert answer.status == 200, answer.status
                body = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.kept.close()
                self.kept = None
                assert attempt == 1 and not fresh, "a scrape was not answered"
        self.took.append(time.monotonic() - begun)
        assert self.took[-1] < IN_TIME_S, self.took
        return Exposition(body)

    def close(self):
        if self.kept:
            self.kept.close()


@pytest.fixture
def scraper():
    made = []

    def start(*args, **kwargs):
        made.append(Scraper(*args, **kwargs))
        return made[-1]

    yield start
    for one in made:
        one.close()


def counted(exposition, reason):
    return int(exposition.value("memcached_exporter_http_requests_rejected_total", reason=reason))


def big(fake):
    """A server whose answer is far more than a socket takes."""
    stats = "".join(f"STAT some_stat_that_nobody_knows_{n} {n}\r\n" for n in range(6000)) + "END\r\n"
    return fake({"stats": stats.encode()}).address


@pytest.mark.parametrize("says", [SILENT, DRIP, IDLE], ids=["silent", "drip", "idle"])
def test_a_full_house(exporter, memcached, crowd, scraper, says):
    started = exporter(targets=[memcached().address])
    old, new = scraper(started, "127.0.0.9"), scraper(started, "127.0.0.10")
    old.scrape()
    crowd.join(started.where, 600, says)
    for _ in range(10):
        assert old.scrape().value("memcached_up") == "1"
        assert new.scrape().value("memcached_up") == "1"
        crowd.drip() if says == DRIP else crowd.join(started.where, 20, says)
        new.close()
        new.kept = None
    assert counted(old.scrape(), "displaced") > 0
    assert int(old.scrape().value("memcached_exporter_http_open_connections")) <= 512 + 8 + 64  # a few are being told 503


def test_who_does_not_read_holds_no_place(exporter, fake, crowd, scraper):
    started = exporter(targets=[big(fake)])
    prometheus = scraper(started)
    prometheus.scrape()
    for _ in range(3):
        crowd.join(started.where, 70, GREEDY)
        time.sleep(0.5)
        for _ in range(5):
            assert prometheus.scrape().value("memcached_up") == "1"
    exposition = prometheus.scrape()
    assert counted(exposition, "stalled") > 0
    assert int(exposition.value("memcached_exporter_http_requests_in_flight")) <= 65


@pytest.mark.parametrize("known, addresses", [(True, 200), (False, 10)], ids=["one that was there before", "a newcomer"])
def test_places_are_shared_while_scrapes_last(exporter, memcached, deaf, crowd, scraper, known, addresses):
    """
    A silent server makes each scrape last, so that the crowd holds all places, and wants them again. Whoever scraped
    before loses none to it, from however many addresses it comes; a newcomer has as much as any address of it.
    """
    started = exporter("--memcached.timeout=500ms", targets=[memcached().address, deaf().address])
    prometheus = scraper(started)
    for _ in range(2 if known else 0):
        prometheus.scrape()
    for _ in range(5):
        crowd.join(started.where, 200, GREEDY, lambda n: f"127.0.3.{1 + n % addresses}")
        exposition = prometheus.scrape()
        assert [value for _, value in exposition.find("memcached_up")].count("1") == 1
    assert counted(exposition, "max_requests") > 0


def unread_bytes(port):
    """What the kernel holds in the send buffers of the exporter's connections."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in list(table)[1:]]
    mine = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] != "0A"]
    return sum(int(row[4].split(":")[0], 16) for row in mine)


def test_the_kernel_holds_little_for_who_does_not_read(exporter, fake, crowd):
    started = exporter("--web.max-requests=500", targets=[big(fake)])
    crowd.join(started.where, 60, GREEDY)
    wait_until(lambda: unread_bytes(started.port) > 0, "answers to be sent")
    time.sleep(1)
    assert unread_bytes(started.port) < 60 * 300_000


def test_fewer_descriptors_than_connections(exporter, memcached, crowd, scraper):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))

    started = exporter(targets=[memcached().address], preexec_fn=few)
    prometheus = scraper(started)
    for _ in range(3):
        crowd.join(started.where, 200, SILENT)
        for _ in range(5):
            assert prometheus.scrape().value("memcached_up") == "1"
    assert started.descriptors() < 160
    assert counted(prometheus.scrape(), "displaced") > 0


def test_five_thousand_clients(exporter, memcached, crowd, scraper):
    """Of every kind, from two hundred addresses, at the defaults; what they took is given back when they have left."""
    started = exporter(targets=[memcached().address], release=True)
    prometheus = scraper(started)
    for _ in range(20):
        prometheus.scrape()
    rest_kib = started.resident_kib()
    ended = threading.Event()

    def come():
        try:
            for number, says in enumerate([SILENT, DRIP, IDLE, GREEDY] * 5):
                crowd.join(started.where, 250, says, lambda n, number=number: f"127.0.{1 + number % 4}.{1 + n % 50}")
                crowd.drip()
        finally:
            ended.set()

    coming = threading.Thread(target=come)
    coming.start()
    scrapes = 0
    while not ended.wait(0.1) or scrapes < 20:
        assert prometheus.scrape().value("memcached_up") == "1"
        scrapes += 1
    coming.join()
    assert len(crowd.socks) == 5000
    crowd.leave()
    wait_until(lambda: int(prometheus.scrape().value("memcached_exporter_http_open_connections")) <= 8, "they left")
    wait_until(lambda: started.resident_kib() < rest_kib + 4096, f"memory to be given back, {rest_kib} KiB at first")
