"""A system that runs out of things, or fails: the exporter goes on, says so, and is whole again when the system is."""

import contextlib
import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.exposition import Exposition
from support.fake import PLAIN, reply
from support.faulty import FaultySystem
from support.process import wait_until

DAY_S = 86400

# How long the exporter is stopped; ./dev exhaustion takes half a minute.
PAUSE_S = float(os.environ.get("PAUSE_S", "2"))


@pytest.fixture
def system(tmp_path):
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    made = FaultySystem(tmp_path)
    yield made
    made.set(seconds=0, no_descriptor=0, hanging=0, broken=0, stderr=0)


def ups(started):
    """{server: memcached_up}; one server alone has no label of its name."""
    return {labels.get("instance"): value for labels, value in started.exposition().find("memcached_up")}


def write_groups(file, *groups):
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"groups": list(groups)}), encoding="utf-8")
    new.rename(file)


# The clock.

@pytest.mark.parametrize("seconds", (DAY_S, -DAY_S), ids=("forward", "back"))
def test_the_clock_is_stepped(exporter, fake, system, tmp_path, seconds):
    """Time-outs, intervals and deadlines hang on another clock, that nobody can set."""
    servers, textfile, found = [fake().address, fake().address], tmp_path / "a.prom", tmp_path / "found.json"
    found.write_text(json.dumps([{"targets": servers[:1]}]), encoding="utf-8")
    file = tmp_path / "exporter.yml"
    file.write_text(json.dumps({"groups": [{"name": "a", "file_sd": {"files": [str(found)], "refresh": "1s"}}],
                                "outputs": {"textfile": {"path": str(textfile), "interval": "100ms"}}}), encoding="utf-8")
    started = exporter(f"--config.file={file}", targets=None, release=True, env=system.environment())
    wait_until(textfile.exists, "the textfile")
    before = float(started.exposition().value("process_start_time_seconds"))
    system.set(seconds=seconds)
    begin = time.monotonic()
    assert ups(started) == {servers[0]: "1"}
    assert time.monotonic() - begin < 5
    inode = textfile.stat().st_ino
    wait_until(lambda: textfile.stat().st_ino != inode, "the textfile to be written again")
    found.with_suffix(".new").write_text(json.dumps([{"targets": servers}]), encoding="utf-8")
    found.with_suffix(".new").rename(found)
    wait_until(lambda: ups(started) == dict.fromkeys(servers, "1"), "what discovery found")
    assert float(started.exposition().value("process_start_time_seconds")) == pytest.approx(before, abs=2)
    system.set(seconds=0)
    assert ups(started) == dict.fromkeys(servers, "1")


def test_stopped_for_long(exporter, fake, tmp_path):
    """All is late when it goes on: timers, a scrape that was asked for meanwhile, the end of a connection to a server."""
    servers, textfile = [fake() for _ in range(3)], tmp_path / "a.prom"
    good = {server.address: "1" for server in servers}
    started = exporter(f"--output.textfile={textfile}", "--output.interval=100ms", "--memcached.timeout=1s", targets=list(good))
    wait_until(textfile.exists, "the textfile")
    assert ups(started) == good
    started.process.signal(signal.SIGSTOP)
    try:
        with socket.create_connection(started.where) as waiting:
            waiting.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            servers[0].close()
            fake(port=servers[0].port)
            time.sleep(PAUSE_S)
            started.process.signal(signal.SIGCONT)
            waiting.settimeout(20)
            answer = b"".join(iter(lambda: waiting.recv(65536), b"")).decode()
    finally:
        started.process.signal(signal.SIGCONT)
    assert answer.startswith("HTTP/1.1 200 ")
    assert len(re.findall(r"^memcached_up\{.*\} 1\s*$", answer, re.M)) == len(good)
    inode = textfile.stat().st_ino
    wait_until(lambda: textfile.stat().st_ino != inode, "the textfile to be written again")
    assert ups(started) == good


# Descriptors.

@pytest.mark.parametrize("number", (errno.EMFILE, errno.ENFILE), ids=errno.errorcode.get)
def test_no_descriptor_is_to_be_had(exporter, fake, system, number):
    """Connections that there are go on; others wait or are down, and come back."""
    server, second, other = fake(), fake(), fake()
    good = {server.address: "1", second.address: "1"}
    started = exporter(targets=list(good), release=True, env=system.environment())
    assert ups(started) == good
    system.set(no_descriptor=number)
    with socket.create_connection(started.where) as waiting:
        waiting.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        system.set(no_descriptor=0)
        waiting.settimeout(20)
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert ups(started) == good
    assert started.scrape(other.address).value("memcached_up") == "1"


def test_sixty_four_descriptors(exporter, fake):
    """As after `ulimit -n 64`: a fleet that needs more is scraped as far as they go, and answers always come."""
    held = fake(host="0.0.0.0")
    targets = [f"127.0.0.{host}:{held.port}" for host in range(1, 101)]
    started = exporter("--memcached.timeout=2s", targets=targets, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    for _ in range(3):
        values = list(ups(started).values())
        assert len(values) == 100 and values.count("1") >= 20, values.count("1")
    assert started.get("/-/healthy").status == 200
    assert [line for line in started.log() if line["level"] == "WARN" and "file" in line["msg"]]


# Memory.

@contextlib.contextmanager
def limited_memory(started, more):
    """The exporter has so many bytes more than it has now, and no others."""
    with open(f"/proc/{started.pid}/status", encoding="ascii") as status:
        size = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize:"))
    resource.prlimit(started.pid, resource.RLIMIT_AS, (size + more, resource.RLIM_INFINITY))
    yield
    resource.prlimit(started.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_no_more_memory(exporter, fake):
    """The limit of the process is a few MiB above what it has. Large answers are given up, small servers stay up."""
    large = reply(*(f"key{n} " + "x" * 200 for n in range(4000)))
    big = [fake(PLAIN | {"stats": PLAIN["stats"][:-5] + large}) for _ in range(12)]
    small = [fake() for _ in range(3)]
    started = exporter("--memcached.timeout=2s", targets=[server.address for server in small + big], release=True)
    started.scrape(small[0].address)
    with limited_memory(started, 3 << 20):
        answers = [started.get("/metrics") for _ in range(2)]
        assert started.process.running and {answer.status for answer in answers} <= {200, 500, 503}
    found = ups(started)
    assert all(found[server.address] == "1" for server in small)
    assert started.process.running


@pytest.mark.parametrize("more", (0, 256 << 10, 1 << 20), ids=("none", "some", "more"))
def test_no_more_memory_for_many_servers(exporter, scripted, more):
    """An answer is refused, or it names every server; and all are up when there is memory again."""
    targets = scripted(400).addresses
    started = exporter("--memcached.timeout=5s", targets=targets, release=True)
    assert started.get("/-/healthy").status == 200
    with limited_memory(started, more):
        for _ in range(2):
            answer = started.get("/metrics")
            assert answer.status in (200, 500, 503)
            if answer.status == 200:
                assert {labels["instance"] for labels, _ in Exposition(answer.body).find("memcached_up")} == set(targets)
    assert ups(started) == dict.fromkeys(targets, "1")


# Files.

def test_all_threads_hang(exporter, fake, system, tmp_path):
    """As reading from NFS does when its server is gone. More sources hang than there are threads; the loop needs none of them."""
    server, file, manager = fake(), tmp_path / "exporter.yml", tmp_path / "notify"
    groups = [{"name": f"g{n}", "file_sd": {"files": [str(tmp_path / f"hanging{n}.json")], "refresh": "1s"}} for n in range(8)]
    for n in range(8):
        (tmp_path / f"hanging{n}.json").write_text(json.dumps([{"targets": [f"127.0.0.1:{n + 1}"]}]), encoding="utf-8")
    write_groups(file, {"name": "a", "targets": [server.address]}, *groups)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as watchdog:
        watchdog.bind(str(manager))
        watchdog.setblocking(False)
        started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None, release=True,
                           env=system.environment(NOTIFY_SOCKET=str(manager), WATCHDOG_USEC="300000"))
        wait_until(lambda: len(ups(started)) == 9, "what discovery found")
        system.set(hanging=1)
        for n in range(8):
            (tmp_path / f"hanging{n}.json").write_text(json.dumps([{"targets": [f"127.0.0.2:{n + 1}"]}]), encoding="utf-8")
        time.sleep(0.5)  # by then all threads are taken
        for _ in range(3):
            begin = time.monotonic()
            assert ups(started)[server.address] == "1", "what was found before stays"
            assert started.get("/-/healthy").status == 200
            assert time.monotonic() - begin < 5
        while True:
            try:
                watchdog.recv(4096)
            except BlockingIOError:
                break
        wait_until(lambda: _hears(watchdog), "the watchdog")
        system.set(hanging=0)
        wait_until(lambda: "127.0.0.2:8" in ups(started), "what discovery finds when the disk is back")


def _hears(watchdog):
    try:
        return watchdog.recv(4096) == b"WATCHDOG=1\n"
    except BlockingIOError:
        return False


@pytest.mark.parametrize("number", (errno.EIO, errno.ENOSPC, errno.ESTALE), ids=errno.errorcode.get)
def test_a_file_of_targets_cannot_be_read(exporter, fake, system, tmp_path, number):
    """What it said before stays in use."""
    servers, file, found = [fake().address, fake().address], tmp_path / "exporter.yml", tmp_path / "broken.json"
    found.write_text(json.dumps([{"targets": servers[:1]}]), encoding="utf-8")
    write_groups(file, {"name": "a", "file_sd": {"files": [str(found)], "refresh": "1s"}})
    started = exporter(f"--config.file={file}", targets=None, release=True, env=system.environment())
    wait_until(lambda: ups(started) == {servers[0]: "1"}, "the first target")
    system.set(broken=number)
    found.write_text(json.dumps([{"targets": servers}]), encoding="utf-8")
    wait_until(lambda: os.strerror(number).lower() in started.process.stderr.lower(), "the reason in the log")
    assert ups(started) == {servers[0]: "1"}
    system.set(broken=0)
    wait_until(lambda: ups(started) == dict.fromkeys(servers, "1"), "both targets when the disk is well")


@pytest.mark.parametrize("number", (errno.EIO, errno.ENOSPC), ids=errno.errorcode.get)
def test_the_log_cannot_be_written(exporter, fake, dead_address, system, number):
    """Lines are lost and counted, nothing else."""
    server = fake()
    started = exporter(targets=[server.address, dead_address], release=True, env=system.environment())
    started.exposition()
    system.set(stderr=number)
    assert started.get("/scrape?target=").status == 400
    for _ in range(3):
        assert ups(started) == {server.address: "1", dead_address: "0"}
    started.process.signal(signal.SIGHUP)
    wait_until(lambda: int(started.exposition().value("memcached_exporter_log_lines_lost_total")) > 0, "lost lines")
    system.set(stderr=0)



# Names.

class NameServer(threading.Thread):
    """By UDP: it says the truth of every name but of those that begin with "liar", of which it says what `lie` makes of the truth."""

    def __init__(self, folder, host, address):
        super().__init__(daemon=True)
        self.host, self.lie, self.lies, self.chance = host, None, 0, random.Random(1)
        self.address = bytes(map(int, address.split(".")))
        self.file = folder / "resolv.conf"
        self.file.write_text(f"nameserver {host}\noptions timeout:1 attempts:2\n", encoding="ascii")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        self.start()

    @property
    def wrapper(self):
        """What stands before a command that is to ask this server: a mount that it alone sees."""
        return ["unshare", "--mount", "sh", "-c", f'mount --bind "{self.file}" /etc/resolv.conf && exec "$@"', "sh"]

    def run(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            asks_a = query[end - 4:end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + self.address if asks_a else b""
            truth = query[:2] + b"\x81\x80\0\1\0" + bytes([asks_a]) + b"\0\0\0\0" + query[12:end] + answer
            lying = self.lie and query[12:].lower().startswith((b"\4liar", b"\5liar"))
            self.lies += bool(lying)
            with contextlib.suppress(OSError):
                for message in self.lie(self, truth) if lying else [truth]:
                    self.socket.sendto(message, client)

    def close(self):
        self.socket.close()


LIES = {
    "another question's number": lambda server, truth: [bytes([truth[0] ^ 255]) + truth[1:]] * 3,
    "another name": lambda server, truth: [truth.replace(b"liar", b"rail")],
    "a name that leads to itself": lambda server, truth: [truth[:12] + b"\xc0\x0c" + truth[-20:]],
    "more records than there are": lambda server, truth: [truth[:6] + b"\xff\xff" + truth[8:]],
    "half a record": lambda server, truth: [truth[:-2]],
    "random bytes": lambda server, truth: [truth[:2] + server.chance.randbytes(server.chance.randrange(2000)) for _ in range(5)],
    "nothing": lambda server, truth: [b""],
    "that it does not fit, and nobody answers by TCP": lambda server, truth: [truth[:2] + b"\x83" + truth[3:]],
    "a flood": lambda server, truth: (truth[:2] + server.chance.randbytes(1200) for _ in range(3000)),
    "silence": lambda server, truth: [],
}


@pytest.fixture
def names(tmp_path):
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no resolv.conf can be mounted here")
    try:
        made = NameServer(tmp_path, "127.0.0.79", "127.0.0.1")
    except OSError as reason:
        pytest.skip(f"port 53 is not free to use here: {reason}")
    yield made
    made.close()


def test_a_name_server_that_lies(exporter, fake, names):
    """A lie costs the server of that name alone, and only while it lasts."""
    server = fake()
    liars = [f"liar{n}.test:{server.port}" for n in range(len(LIES))]
    started = exporter("--memcached.timeout=1s", targets=[f"good.test:{server.port}"], wrapper=names.wrapper)
    for liar, (what, lie) in zip(liars, LIES.items()):
        names.lie, names.lies = lie, 0
        begin = time.monotonic()
        assert started.scrape(f"good.test:{server.port}").value("memcached_up") == "1", what
        assert started.exposition(f"/scrape?target={liar}").value("memcached_up") == "0", what
        assert names.lies > 0 and time.monotonic() - begin < 10, what
        assert started.get("/-/healthy").status == 200
        names.lie = None
        wait_until(lambda: started.scrape(liar).value("memcached_up") == "1", f"the truth after {what}")
