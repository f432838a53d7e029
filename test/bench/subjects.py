"""What is measured: exporters as processes, and the two ways to put them, and the floor, to work."""

import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from support.process import Process, accepts, free_port, wait_until

# The longest list of addresses in one flag: the kernel takes no argument beyond 128 KiB.
ADDRESSES_IN_FLAG = 1000

# More than any pass takes; one that hangs must not hang the bench.
PASS_S = 120


def run_json(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=PASS_S, check=False)
    if done.returncode:
        raise AssertionError(f"{pathlib.Path(command[0]).name}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def cpu_ns(pid):
    """Of all threads that live: /proc/PID/stat has it in ticks of 10 ms, this in nanoseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def memory_kib(pid, field="VmRSS"):
    """VmRSS: resident now. VmHWM: the most that ever was."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


class Exporter:
    """A running exporter: `targets` of its own, or none, when they come in the URL."""

    def __init__(self, binary, flags=(), targets=()):
        self.port = free_port()
        lists = [targets[n:n + ADDRESSES_IN_FLAG] for n in range(0, len(targets), ADDRESSES_IN_FLAG)] or [[]]
        addresses = ["--memcached.address=" + ",".join(some) for some in lists]
        self.process = Process([binary, f"--web.listen-address=127.0.0.1:{self.port}", *addresses, *flags])
        self.pid = self.process.pid
        try:
            wait_until(lambda: accepts(("127.0.0.1", self.port)) or not self.process.running, "the exporter")
            assert self.process.running, self.process.stderr
        except BaseException:
            self.stop()
            raise

    def memory_kib(self, field):
        return memory_kib(self.pid, field)

    def resident_at_rest_kib(self):
        time.sleep(1)
        return self.memory_kib("VmRSS")

    def stop(self):
        self.process.kill()


class Floor:
    """
    The floor as a server (floor.c): what it answers has as many bytes for each of `targets` as those of an exporter.
    It has what ScrapeWork asks of an exporter.
    """

    def __init__(self, programs, targets, bytes_each, fresh=False):
        self.list = tempfile.NamedTemporaryFile("w", suffix=".targets")
        self.list.write("".join(target + "\n" for target in targets))
        self.list.flush()
        words = [programs / "floor", self.list.name, "serve", str(round(bytes_each))] + ["--fresh"] * fresh
        self.process = Process(words)
        self.pid = self.process.pid
        wait_until(lambda: "\n" in self.process.stdout or not self.process.running, "the floor")
        assert self.process.running, self.process.stderr
        self.port = int(self.process.stdout.split()[1])

    memory_kib = Exporter.memory_kib
    stop = Exporter.stop


class Work:
    """
    Something that asks `targets` servers, in passes; each pass adds to the figures. `wall_s` has one number for each time
    that all servers were asked, `cpu_us` is per target.
    """

    def __init__(self, name, targets):
        self.name, self.targets = name, targets
        self.wall_s, self.cpu_us, self.latency_ms, self.beside_ms = [], [], [], []
        self.bytes = self.peak_kib = 0

    @property
    def wall_ms(self):
        return statistics.median(self.wall_s) * 1000

    @property
    def cpu(self):
        return statistics.median(self.cpu_us)

    @property
    def cpu_spread(self):
        """Between the quartiles of the rounds, as a part of the median."""
        if len(self.cpu_us) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.cpu_us, n=4)
        return (high - low) / self.cpu


class FloorWork(Work):
    def __init__(self, programs, targets, sweeps, fresh=False):
        super().__init__("floor, a new connection each time" if fresh else "floor", len(targets))
        self.list = tempfile.NamedTemporaryFile("w", suffix=".targets")
        self.list.write("".join(target + "\n" for target in targets))
        self.list.flush()
        self.command = [programs / "floor", self.list.name, sweeps, max(2, sweeps // 10)] + ["--fresh"] * fresh

    def run(self):
        said = run_json(self.command)
        self.wall_s += said["wall_s"]
        self.cpu_us += said["cpu_us"]
        self.bytes, self.peak_kib = said["bytes"], max(self.peak_kib, said["rss_kib"])
        self.latency_ms += [1000 * wall for wall in said["wall_s"]]


class ScrapeWork(Work):
    """
    `times` over, asks an exporter for all paths, `connections` of them at once. One path stands for all targets; of
    several, each stands for its own, and all of them together make one time.
    """

    def __init__(self, programs, name, exporter, paths, targets, times, connections=1, encoding=None, beside=None):
        super().__init__(name, targets)
        self.exporter, self.times, self.single = exporter, times, len(paths) == 1
        self.requests = times * len(paths)
        self.list = tempfile.NamedTemporaryFile("w", suffix=".paths")
        self.list.write("".join(path + "\n" for path in paths))
        self.list.flush()
        self.warmup = max(1, self.requests // 10) if self.single else connections
        self.command = [programs / "scraper", "-n", self.requests, "-w", self.warmup, "-c", connections]
        self.command += ["-e", encoding] if encoding else []
        self.command += ["-b", beside] if beside else []
        self.command += [exporter.port, self.list.name]

    def run(self):
        before = cpu_ns(self.exporter.pid)
        said = run_json(self.command)
        time.sleep(0.02)  # what comes after the last byte is work, too
        used = (cpu_ns(self.exporter.pid) - before) / 1000
        each = self.targets if self.single else self.targets * self.times / self.requests
        self.cpu_us.append(used / (self.requests + self.warmup) / each)
        self.wall_s += [ms / 1000 for ms in said["latency_ms"]] if self.single else [said["wall_s"] / self.times]
        self.latency_ms += said["latency_ms"]
        self.beside_ms += said["beside_ms"]
        self.bytes = said["bytes"] / self.requests / each
        self.peak_kib = self.exporter.memory_kib("VmHWM")


def alternate(works, rounds):
    """In turn, so that what disturbs the machine for a while disturbs all of them."""
    for _ in range(rounds):
        for work in works:
            work.run()
