"""What the bench measures with must be right; and the instructions that it counts must not grow unnoticed."""

import http.server
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest

from support.exporter import binary
from support.fake import PLAIN

# The bench is a script, whose modules find one another in its own folder.
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

import callgrind  # noqa: E402  (the path above)
import chart  # noqa: E402
import growth  # noqa: E402
import shards  # noqa: E402
from servers import Simulated  # noqa: E402
from subjects import Exporter, Floor, FloorWork, ScrapeWork  # noqa: E402

REQUESTS = (b"stats\r\n", b"stats settings\r\n", b"stats items\r\n", b"stats slabs\r\n")
FILES = ("stats", "stats-settings", "stats-items", "stats-slabs")
PLAIN_BYTES = b"".join(PLAIN.values())

# A difference that says that something has changed, and not only where the linker put it.
TOLERANCE = 0.05


@pytest.fixture
def programs():
    """Built beside the release program, with its flags: instructions of a sanitized build would tell nothing."""
    folder = pathlib.Path(binary(release=True)).parent / "test/bench"
    assert (folder / "instructions").exists(), f"ninja -C {folder.parent.parent} bench"
    return folder


@pytest.fixture
def simulated(programs):
    fleet = Simulated(programs, callgrind.CAPTURE, 20)
    yield fleet
    fleet.stop()


def captured(name):
    return pathlib.Path(f"{callgrind.CAPTURE}-{name}.txt").read_bytes()


def receive(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(65536)
        assert more, "closed"
        data += more
    return data


@pytest.mark.parametrize("what", ["parse", "parse-shuffled", "encode", "encode-protobuf"])
def test_instructions(programs, simulated, what):
    figures = callgrind.read_figures()
    if callgrind.made_with(programs) != figures["made-with"]:
        pytest.skip(f"the figures are for {figures['made-with']}, this is {callgrind.made_with(programs)}")
    encodes = what.startswith("encode")
    count = callgrind.encode(programs, simulated.port, what) if encodes else callgrind.parse(programs, what)
    change = count / int(figures[what]) - 1
    assert change <= TOLERANCE, f"{what} takes {change:.1%} more instructions for one server: {count}"
    assert change >= -TOLERANCE, f"{what} has become {-change:.1%} cheaper: renew test/bench/instructions.txt, as it says"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 2, 2), (1,)])
def test_simulated_server_gives_what_was_captured(simulated, order):
    expected = b"".join(captured(FILES[n]) for n in order)
    with socket.create_connection(("127.1.0.7", simulated.port), 10) as sock:
        for pieces in ([b"".join(REQUESTS[n] for n in order)], [REQUESTS[n] for n in order]):
            for piece in pieces:
                sock.sendall(piece)
            assert receive(sock, len(expected)) == expected
        request = b"".join(REQUESTS[n] for n in order)
        for at in range(len(request)):
            sock.sendall(request[at:at + 1])
        assert receive(sock, len(expected)) == expected


def dribble(connection):
    """The replies byte by byte."""
    while all(connection.line() for _ in REQUESTS):
        for n in range(len(PLAIN_BYTES)):
            connection.send(PLAIN_BYTES[n:n + 1])


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("script", [None, dribble])
def test_floor_reads_whole_answers(programs, fake, fresh, script):
    servers = [fake(script=script) for _ in range(3)]
    work = FloorWork(programs, [server.address for server in servers], 4, fresh)
    work.run()
    assert work.bytes == len(PLAIN_BYTES)
    assert len(work.wall_s) == len(work.cpu_us) == 4
    for server in servers:
        assert server.count("stats slabs") == 6, "two sweeps for warming up, four that count"
        assert server.connections == (6 if fresh else 1)


def test_floor_takes_no_word_for_an_end(programs, fake):
    """END counts where a line begins, and alone on it."""
    tricky = PLAIN["stats"].replace(b"END\r\n", b"STAT END END\r\nENDED\r\nEND\r\n")
    server = fake(answers={"stats": tricky})
    work = FloorWork(programs, [server.address], 1)
    work.run()
    assert work.bytes == len(PLAIN_BYTES) - len(PLAIN["stats"]) + len(tricky)


@pytest.mark.parametrize("fresh", [False, True])
def test_floor_answers_with_as_many_bytes(programs, fake, fresh):
    servers = [fake() for _ in range(3)]
    floor = Floor(programs, [server.address for server in servers], 100000.4, fresh)
    try:
        work = ScrapeWork(programs, "floor", floor, ["/"], len(servers), 3)
        work.run()
        work.run()
    finally:
        floor.stop()
    assert work.bytes == 100000
    assert work.cpu > 0 and work.cpu_spread >= 0 and len(work.wall_s) == 6
    for server in servers:
        assert server.count("stats slabs") == 8, "twice, one sweep for warming up and three that count"
        assert server.connections == (8 if fresh else 1)


def test_floor_says_when_a_server_hangs_up(programs, fake):
    server = fake(script=lambda connection: connection.line())
    with pytest.raises(AssertionError, match="hung up"):
        FloorWork(programs, [server.address], 1).run()


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("count", [1, 20])
def test_scraper_reads_whole_answers(programs, simulated, encoding, count):
    """With a length, and in chunks."""
    exporter = Exporter(binary(release=True), targets=simulated.targets[:count])
    try:
        work = ScrapeWork(programs, "", exporter, ["/metrics"], count, 3, encoding=encoding, beside="/-/healthy")
        work.run()
    finally:
        exporter.stop()
    assert len(work.latency_ms) == len(work.wall_s) == 3 and work.beside_ms
    low, high = (500, 15000) if encoding else (20000, 90000)
    assert low < work.bytes < high
    assert work.cpu > 0 and work.peak_kib > 1000


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, self.client_address, self.headers["Accept-Encoding"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    """An HTTP server that remembers who asked for what; it stands in for an exporter."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    server.asked, server.status = [], 200
    server.port, server.pid, server.memory_kib = server.server_port, os.getpid(), lambda field: 1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_scraper_shares_the_paths_among_its_connections(programs, page):
    paths = [f"/{n}" for n in range(5)]
    work = ScrapeWork(programs, "", page, paths, len(paths), 2, connections=4, encoding="gzip")
    work.run()
    assert sorted(path for path, _, _ in page.asked) == sorted(2 * paths + paths[:4]), "four to warm up, then each twice"
    assert len({client for _, client, _ in page.asked}) == 4
    assert {encoding for _, _, encoding in page.asked} == {"gzip"}
    assert len(work.latency_ms) == 10 and len(work.wall_s) == 1
    assert work.bytes == 5


def test_scraper_takes_no_failure_for_an_answer(programs, page):
    page.status = 503
    with pytest.raises(AssertionError, match="503"):
        ScrapeWork(programs, "", page, ["/metrics"], 1, 1).run()


def test_a_chart_shows_every_point(tmp_path):
    curves = {"<one>": [(1, 0.5), (10, 2), (100, 8)], "two": [(10, 4)]}
    drawn = xml.etree.ElementTree.fromstring(chart.draw("A & B", "x", "y", curves))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f".//{svg}circle")) == 4
    texts = {text.text for text in drawn.iter(f"{svg}text")}
    assert {"A & B", "<one>", "two", "1", "10", "100"} <= texts
    places = [float(circle.get("cy")) for circle in drawn.findall(f".//{svg}circle")]
    assert places[0] > places[1] > places[2]  # up is more


@pytest.mark.parametrize("classes", [0, 1, growth.CLASSES_MAX])
def test_captures_with_any_number_of_slab_classes(tmp_path, programs, exporter, classes):
    fleet = Simulated(programs, growth.capture_with(tmp_path, classes), 2)
    try:
        got = exporter(targets=fleet.targets).exposition()
    finally:
        fleet.stop()
    assert [value for _, value in got.find("memcached_up")] == ["1", "1"]
    assert len(got.find("memcached_slab_chunk_size_bytes")) == 2 * classes


def test_shards_divide_all_servers(programs):
    done = subprocess.run([programs / "shards", "3000", "10", "11"], capture_output=True, text=True, check=True)
    ten, eleven = (json.loads(line) for line in done.stdout.splitlines())
    assert ten["moved"] == 0 and 200 < ten["least"] <= 300 <= ten["most"] < 400
    assert 0 < eleven["moved"] < 3000 / 11 * 1.5


def test_the_herd_is_never_larger_than_all():
    assert shards.most_at_once(shards.INTERVAL_S * 2, random.Random(1)) == shards.EXPORTERS
    assert shards.most_at_once(0.0001, random.Random(1)) < 4
