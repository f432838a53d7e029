"""What a service manager sees: readiness, reloads, the end and a watchdog by sd_notify, and how the process dies of a crash."""

import os
import re
import signal
import socket
import time

import pytest

from support.exporter import assert_clean, run
from support.process import wait_until


class Manager:
    """The socket of a service manager, at a path or with an abstract name."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0"))
        self.socket.setblocking(False)
        self.said = []

    def hear(self):
        """Every message so far as a dictionary, those of the watchdog not among them."""
        while True:
            try:
                message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            except BlockingIOError:
                return self.said
            if message != {"WATCHDOG": "1"}:
                self.said.append(message)

    def wait_for(self, count):
        return wait_until(lambda: len(self.hear()) >= count and self.said[count - 1], f"{count} messages, not {self.said}")

    def pings(self):
        """How many messages there are, without a look at them."""
        count = 0
        while True:
            try:
                self.socket.recv(4096)
            except BlockingIOError:
                return count
            count += 1

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.name, **more}


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@exporter-test-{os.getpid()}-{time.monotonic_ns()}")
    yield made
    made.socket.close()


def write_config(file, *targets):
    file.write_text("groups:\n  - {name: a, targets: [%s]}\n" % ", ".join(targets), encoding="utf-8")


@pytest.mark.parametrize("release", (False, True), ids=("sanitized", "release"))
def test_states(exporter, fake, manager, tmp_path, release):
    """In the sandbox, which is in force by the time that the exporter is ready."""
    file, servers = tmp_path / "exporter.yml", [fake().address, fake().address]
    write_config(file, servers[0])
    started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None, env=manager.environment(), release=release)
    assert manager.wait_for(1) == {"READY": "1", "STATUS": "Serving 1 target."}

    write_config(file, *servers)
    before_usec = time.monotonic_ns() // 1000
    started.process.signal(signal.SIGHUP)
    reloading = manager.wait_for(2)
    assert reloading["RELOADING"] == "1" and before_usec <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    wait_until(lambda: manager.hear()[-1] == {"READY": "1", "STATUS": "Serving 2 targets."}, "the end of the reload")

    file.write_text("groups: [", encoding="utf-8")
    assert started.get("/-/reload", method="POST").status == 500
    wait_until(lambda: "The last reload failed" in manager.hear()[-1]["STATUS"], "the failure of the reload")
    assert manager.said[-1]["READY"] == "1" and "RELOADING" in manager.said[-2], "a reload always ends"

    started.stop()
    assert manager.hear()[-1]["STOPPING"] == "1"


def test_ready_means_that_it_listens(exporter, fake, manager):
    started = exporter(targets=[fake().address], env=manager.environment())
    manager.wait_for(1)
    assert started.listening()


def test_a_failed_start_is_never_ready(fake, manager, tmp_path):
    process = run(f"--config.file={tmp_path}/none.yml", env=manager.environment())
    assert process.code == 1
    assert all("READY" not in message for message in manager.hear())


def test_a_reload_without_a_file_ends_too(exporter, fake, manager):
    started = exporter(targets=[fake().address], env=manager.environment())
    manager.wait_for(1)
    started.process.signal(signal.SIGHUP)
    manager.wait_for(3)
    assert "RELOADING" in manager.said[1] and manager.said[2]["READY"] == "1"


def test_the_watchdog_is_served_by_the_loop(exporter, fake, manager):
    started = exporter(targets=[fake().address], env=manager.environment(WATCHDOG_USEC="300000"))
    manager.wait_for(1)
    seen = 0
    end = time.monotonic() + 20
    while seen < 5 and time.monotonic() < end:
        seen += manager.pings()
        time.sleep(0.05)
    assert seen >= 5

    started.process.signal(signal.SIGSTOP)
    wait_until(lambda: open(f"/proc/{started.pid}/stat", encoding="ascii").read().split()[2] == "T", "a process that is stopped")
    manager.pings()
    time.sleep(1)
    assert manager.pings() == 0, "nobody serves the watchdog of a loop that hangs"
    started.process.signal(signal.SIGCONT)
    wait_until(manager.pings, "the watchdog after the loop goes on")
    assert started.exposition().value("memcached_up") == "1"


def test_no_watchdog_for_others(exporter, fake, manager):
    exporter(targets=[fake().address], env=manager.environment(WATCHDOG_USEC="30000", WATCHDOG_PID="1"))
    manager.wait_for(1)
    time.sleep(0.3)
    assert manager.pings() == 0


# Crashes.

def crash(started, number):
    started.process.signal(number)
    started.ended = True
    return started.process.wait()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_says_where(exporter, fake, number):
    started = exporter(targets=[fake().address], release=True)
    assert crash(started, number) == -number
    lines = started.process.stderr.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"memcached_fleet_exporter: crashed with {number.name}"))
    frames = lines[at + 1:]
    assert frames and all(re.fullmatch(r"  \S+\+0x[0-9a-f]+|  0x[0-9a-f]+", frame) for frame in frames), lines
    assert any(frame.startswith("  memcached_fleet_exporter+0x") for frame in frames), "the program's own functions are named"


def test_a_crash_leaves_no_secrets(exporter, fake, tmp_path):
    """Neither in the report nor in a core file."""
    secret = "correct-horse-battery-staple"
    file, password = tmp_path / "exporter.yml", tmp_path / "password"
    password.write_text(secret, encoding="ascii")
    file.write_text(f"modules:\n  m: {{auth: {{username: u, password_file: {password}}}}}\n"
                    f"groups:\n  - {{name: a, module: m, targets: [{fake().address}]}}\n", encoding="utf-8")
    started = exporter(f"--config.file={file}", targets=None, release=True, cwd=tmp_path)
    started.exposition()
    with open(f"/proc/{started.pid}/limits", encoding="ascii") as limits:
        assert next(line.split()[4:6] for line in limits if line.startswith("Max core file size")) == ["0", "0"]
    assert crash(started, signal.SIGSEGV) == -signal.SIGSEGV
    assert "crashed with SIGSEGV" in started.process.stderr and secret not in started.process.stderr
    assert not list(tmp_path.glob("core*"))


def test_a_clean_end_reports_no_crash(exporter, fake):
    started = exporter(targets=[fake().address], release=True)
    started.stop()
    assert_clean(started.process)
    assert "crash" not in started.process.stderr
