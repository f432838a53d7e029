"""A system that runs out of things, or fails: the exporter goes on, says so, and is whole again when the system is."""

import errno
import json
import os
import resource
import shutil
import signal
import socket
import time

import pytest

from support.fake import PLAIN, reply
from support.faulty import FaultySystem
from support.process import wait_until

DAY_S = 86400


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

def test_no_more_memory(exporter, fake):
    """The limit of the process is a few MiB above what it has. Large answers are given up, small servers stay up."""
    large = reply(*(f"key{n} " + "x" * 200 for n in range(4000)))
    big = [fake(PLAIN | {"stats": PLAIN["stats"][:-5] + large}) for _ in range(20)]
    small = [fake() for _ in range(3)]
    started = exporter("--memcached.timeout=1s", targets=[server.address for server in small + big], release=True)
    started.scrape(small[0].address)
    with open(f"/proc/{started.pid}/status", encoding="ascii") as status:
        size = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize:"))
    resource.prlimit(started.pid, resource.RLIMIT_AS, (size + (3 << 20), resource.RLIM_INFINITY))
    answers = [started.get("/metrics") for _ in range(3)]
    assert started.process.running and {answer.status for answer in answers} <= {200, 500, 503}
    resource.prlimit(started.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    found = ups(started)
    assert all(found[server.address] == "1" for server in small)
    assert started.process.running


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


def test_it_ends_although_its_threads_hang(exporter, fake, system, tmp_path):
    """Nobody can end a thread that waits for a disk, so the process is ended with it."""
    file = tmp_path / "exporter.yml"
    (tmp_path / "hanging.json").write_text(json.dumps([{"targets": [fake().address]}]), encoding="utf-8")
    write_groups(file, {"name": "a", "file_sd": {"files": [str(tmp_path / "hanging.json")], "refresh": "1s"}})
    started = exporter(f"--config.file={file}", targets=None, release=True, env=system.environment())
    wait_until(lambda: len(ups(started)) == 1, "what discovery found")
    system.set(hanging=1)
    (tmp_path / "hanging.json").write_text("[]", encoding="utf-8")
    time.sleep(1.5)  # by then a thread has taken it up
    started.process.signal(signal.SIGTERM)
    started.ended = True
    assert started.process.wait(15) == 128 + signal.SIGTERM
    assert "a thread waits" in started.process.stderr


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

