"""
Hundreds of scripted servers in one process, each of which behaves as it is told, line by line (scripted.h has the
lines). They are at addresses of 127.0.0.0/8 that nobody else uses, all on one port.
"""

import ipaddress
import os
import subprocess
import threading
import time

from support.exporter import binary
from support.process import PATIENCE_S, Gone, wait_until

PORT = 11211


class Answer:
    """One whole answer to `stats`: the times are those of time.monotonic(), as the server saw them."""

    __slots__ = ("number", "asked", "answered")

    def __init__(self, number, asked, answered):
        self.number, self.asked, self.answered = number, asked, answered


class ScriptedServers:
    """`addresses`: how the exporter reaches each. `answers[n]`: what the n-th has answered, in order."""

    def __init__(self, count=1, first=None):
        self.count = count
        self.answers = [[] for _ in range(count)]
        self.bad = []
        self._followed, self._followed_at, self._sent = 0, 0.0, 0
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._start(first)

    def _start(self, wish):
        """Without a wish, a stretch of addresses is chosen at random; where another run has it, the next is tried."""
        for _ in range(20):
            first = 0x7F000000 | (64 + os.urandom(1)[0] % 128) << 16 | os.urandom(1)[0] << 8 | 1
            first = ipaddress.ip_address(wish or first)
            program = os.path.join(os.path.dirname(binary()), "test", "scripted_servers")
            self._popen = subprocess.Popen([program, str(self.count), str(first), str(PORT)], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
            self.pid = self._popen.pid
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            wait_until(lambda: self._ready.is_set() or self._popen.poll() is not None, "the scripted servers")
            if self._ready.is_set():
                self.addresses = [f"{first + n}:{PORT}" for n in range(self.count)]
                return
        raise Gone("the scripted servers do not start")

    def _read(self):
        for line in self._popen.stdout:
            word, *rest = line.split()
            if word == "answered":
                server, number, asked, answered = map(int, rest)
                self.answers[server].append(Answer(number, asked / 1e9, answered / 1e9))
            elif word == "done":
                self._followed_at = int(rest[1]) / 1e9
                self._followed = int(rest[0])
            elif word == "ready":
                self._ready.set()
            else:
                self.bad.append(line.strip())

    def tell(self, *lines):
        """Each is "WHO LINE"; returns when all are followed, with the time by which they were."""
        with self._lock:
            self._popen.stdin.write("".join(line + "\n" for line in lines))
            self._popen.stdin.flush()
            self._sent += len(lines)
            wait_until(lambda: self._followed >= self._sent, "scripted servers that follow", PATIENCE_S, 0.002)
            assert not self.bad, self.bad
            return self._followed_at

    def do(self, line, server="*"):
        """One line for one of them, or for all."""
        return self.tell(f"{server} {line}")

    def wait_for_answers(self, count, server=0):
        wait_until(lambda: len(self.answers[server]) >= count, f"{count} answers of server {server}")

    def close(self):
        """A clean end; insists on it."""
        if self._popen.poll() is None:
            self._popen.stdin.close()
        end = time.monotonic() + PATIENCE_S
        while self._popen.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        self._reader.join(PATIENCE_S)
        assert self._popen.returncode == 0, f"the scripted servers ended with {self._popen.returncode}"
