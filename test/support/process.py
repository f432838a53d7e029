"""Programs that a test starts: free ports, bounded waits, an end that is insisted on. Loopback only."""

import os
import signal
import socket
import subprocess
import tempfile
import time

# Nothing that a test waits for takes longer than this, also under valgrind and on a busy machine.
PATIENCE_S = 20.0


class Gone(AssertionError):
    """A program ended, or never got ready, while a test needed it."""


def wait_until(condition, what, seconds=PATIENCE_S, pause=0.02):
    """Calls `condition` until it returns something true and returns that; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Gone(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def _port_range():
    """First port and number of ports of this process, below those of outgoing connections, which would take them
    again. Each worker of a parallel run has a range of its own: what is free in one stays free in the others."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = 20000 // workers
    return 10240 + worker * count, count


def free_port(host="127.0.0.1"):
    """A TCP port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    first, count = _port_range()
    for _ in range(200):
        port = first + int.from_bytes(os.urandom(2), "big") % count
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue
    raise Gone("no free port")


def accepts(address, family=socket.AF_INET):
    """Whether somebody listens there."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
            return True
        except OSError:
            return False


class Process:
    """One program with its output in files, so that a full pipe never blocks it."""

    def __init__(self, command, env=None, **popen):
        self.command = [str(word) for word in command]
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
                                      env=env, **popen)
        self.pid = self.popen.pid

    @staticmethod
    def _read(file):
        return os.pread(file.fileno(), 64 << 20, 0).decode("utf-8", "backslashreplace")

    @property
    def stdout(self):
        return self._read(self._out)

    @property
    def stderr(self):
        return self._read(self._err)

    @property
    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=PATIENCE_S):
        """Its exit code; a program that does not end in time is killed, and the test fails."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Gone(f"{self.command[0]} did not end within {seconds} s; it said:\n{self.stderr}") from None

    def terminate(self, seconds=PATIENCE_S):
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """As if its machine had lost power. Harmless when it is gone."""
        if self.running:
            self.popen.kill()
        self.popen.wait(PATIENCE_S)
