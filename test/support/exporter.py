"""The program under test: started on a free port, asked over HTTP, ended by SIGTERM and held to a clean exit."""

import json
import os
import time

from support import http
from support.exposition import Exposition
from support.process import Process, accepts, free_port, wait_until

# What AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer print before a finding.
SANITIZER_MARKS = ("Sanitizer", "runtime error:")

# Running scrapes get 5 s when the program is told to end; the rest is for a busy machine.
EXIT_S = 6.0


def binary(release=False):
    """The sanitized program, or the release one for what sanitizers disturb (memory, valgrind)."""
    name = "EXPORTER_RELEASE" if release else "EXPORTER"
    path = os.environ.get(name)
    assert path and os.access(path, os.X_OK), f"set {name} to the built program"
    return path


def environment(extra=None):
    """The test's own environment without flags for the program that happen to be set in it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MEMCACHED_FLEET_EXPORTER_", "LISTEN_"))}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1"
    return dict(env, **(extra or {}))


def run(*flags, env=None, release=False, **popen):
    """Runs the program to its end, for those that should not stay."""
    process = Process([binary(release), *flags], env=environment(env), **popen)
    process.code = process.wait()
    assert_clean(process)
    return process


def assert_clean(process):
    for mark in SANITIZER_MARKS:
        assert mark not in process.stderr, process.stderr


def parse_logfmt(line):
    """{key: value} of one log line; the escapes of quoted values are JSON's."""
    fields = {}
    for word in _split_quoted(line):
        key, _, value = word.partition("=")
        fields[key] = json.loads(value) if value.startswith('"') else value
    return fields


def _split_quoted(line):
    """Words of a line at blanks outside of quotes."""
    words, word, quoted, escaped = [], "", False, False
    for char in line:
        if char == " " and not quoted:
            words.append(word)
            word = ""
            continue
        word += char
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    return words + [word]


class Exporter:
    """`targets` become --memcached.address, one flag for each; none of them: the flag is given empty."""

    def __init__(self, *flags, targets=(), env=None, release=False, listen=True, wrapper=(), where=None, **popen):
        self.port = free_port()
        self.where = where or ("127.0.0.1", self.port)
        command = [*wrapper, binary(release)]
        if listen:
            command.append(f"--web.listen-address=127.0.0.1:{self.port}")
        if targets is not None:
            command += [f"--memcached.address={target}" for target in targets or ("",)]
        self.process = Process([*command, *flags], env=environment(env), **popen)
        self.pid = self.process.pid
        self.ended = False
        try:
            wait_until(self._ready, "the exporter's /-/ready")
        except BaseException:
            self.process.kill()
            raise

    def _ready(self):
        assert self.process.running, f"the exporter ended with {self.process.popen.returncode}: {self.process.stderr}"
        try:
            return http.get(self.where, "/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def get(self, path, headers=None, method="GET", timeout=15.0):
        return http.get(self.where, path, method, headers, timeout)

    def exposition(self, path="/metrics", headers=None):
        """The samples behind a path; insists on 200 and the Content-Type of the text format."""
        answer = self.get(path, headers)
        assert answer.status == 200, answer
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4"), answer
        return Exposition(answer.body)

    def scrape(self, *targets, headers=None):
        return self.exposition("/scrape?" + "&".join("target=" + target for target in targets), headers)

    def log(self):
        """Every log line as a dictionary."""
        return [parse_logfmt(line) for line in self.process.stderr.splitlines()]

    def log_of(self, target):
        return [line for line in self.log() if line.get("target") == target]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _resident_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def resident_kib(self):
        """At rest: a client has an answer a moment before the exporter has put away what it took to make it."""
        readings = []
        for _ in range(10):
            time.sleep(0.05)
            readings.append(self._resident_kib())
        return min(readings)

    def listening(self):
        return accepts(self.where)

    def stop(self, asked=False):
        """SIGTERM, unless it was asked to stop before; exit code 0 in time, and no finding of a sanitizer."""
        self.ended = True
        code = self.process.wait(EXIT_S) if asked else self.process.terminate(EXIT_S)
        assert_clean(self.process)
        assert code == 0, f"exit code {code}; it said:\n{self.process.stderr}"
