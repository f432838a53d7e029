"""What watching finds, and what it costs memcached: a Zipf load over many keys, with and without an exporter that watches.

    watching.py [--keys=N] [--seconds=S] [--rounds=R] [--rate=N] [--memcached=PROGRAM]

One client fetches keys at the given rate, or as fast as it can. Rounds alternate: alone, watched, alone, watched. The cost is
CPU time of memcached per fetch, as the median of the paired ratios, so that a busy machine matters little: that of the threads
that serve clients, which limits the operations per second, and that of all, with the thread that writes the log. While a round
is watched, a window is open for half of the time; the default of the exporter is a thirtieth.
"""

import argparse
import array
import bisect
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test"))

from support.exporter import Exporter  # noqa: E402
from support.process import free_port, wait_until, accepts  # noqa: E402

BATCH = 50
CONFIG = """
watch: {{keys: full, streams: [fetchers], window: 2s, every: 4s, trusted_versions: ["{version}"]}}
groups: [{{name: bench, targets: ["127.0.0.1:{port}"]}}]
"""


class Server:
    def __init__(self, program, megabytes):
        self.port = free_port("127.0.0.1")
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.process = subprocess.Popen([program, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "2",
                                         "-m", str(megabytes), *user])
        wait_until(lambda: accepts(("127.0.0.1", self.port)), "memcached")
        self.sock = socket.create_connection(("127.0.0.1", self.port))

    def ask(self, request, ends, end=b"END\r\n"):
        self.sock.sendall(request)
        tail, seen = b"", 0
        while seen < ends:
            data = self.sock.recv(1 << 20)
            assert data, "memcached is gone"
            whole = tail + data
            seen += whole.count(end)
            tail = whole[-(len(end) - 1):]
        return whole

    def stats(self):
        lines = self.ask(b"stats\r\n", 1).decode().split("\r\n")
        return dict(line.split(" ", 2)[1:] for line in lines if line.startswith("STAT "))

    def cpu_s(self):
        """CPU seconds so far: (of the threads that serve clients, of all threads). Old versions give threads no names."""
        served = total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            used = int((task / "schedstat").read_text().split()[0]) / 1e9
            total += used
            if (task / "comm").read_text().startswith(("mc-worker", "memcached")):
                served += used
        return served, total

    def fill(self, keys):
        for start in range(0, keys, 1000):
            batch = range(start, min(start + 1000, keys))
            self.ask(b"".join(b"set user:%d 0 0 10\r\n0123456789\r\n" % key for key in batch), len(batch), b"STORED\r\n")

    def close(self):
        self.sock.close()
        self.process.terminate()
        self.process.wait()


def draw(keys, count):
    """`count` keys by Zipf's law: key n comes with 1 / (n + 1)."""
    shares, total = array.array("d"), 0.0
    for n in range(keys):
        total += 1 / (n + 1)
        shares.append(total)
    dice = random.Random(1)
    return [bisect.bisect(shares, dice.random() * total) for _ in range(count)], total


def run_load(server, requests, seconds, rate):
    """Returns (fetches, (CPU microseconds of serving threads, and of all, for each)). A rate of 0: as fast as it goes."""
    before, fetches, start = server.cpu_s(), 0, time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        if rate and fetches > rate * passed:
            time.sleep(0.001)
            continue
        server.ask(requests[fetches // BATCH % len(requests)], 1)
        fetches += BATCH
    return fetches, [1e6 * (after - then) / fetches for after, then in zip(server.cpu_s(), before)]


def watch_round(server, requests, options, version, reports):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "exporter.yml")
        file.write_text(CONFIG.format(version=version, port=server.port), encoding="utf-8")
        exporter = Exporter(f"--config.file={file}", targets=None)
        try:
            result = run_load(server, requests, options.seconds, options.rate)
            wait_until(lambda: "ended" in json.loads(exporter.get("/hotkeys?format=json").body)["servers"][0], "a window")
            reports.append(json.loads(exporter.get("/hotkeys?format=json").body)["servers"][0])
            windows = {line.split('result="')[1].split('"')[0]: int(line.split()[-1])
                       for line in exporter.get("/metrics").text.splitlines() if line.startswith("memcached_watch_windows_total{")}
            reports[-1]["windows"] = {name: count for name, count in windows.items() if count}
        finally:
            exporter.stop()
    return result


def judge(report, keys, total):
    """How a report compares with the law of the load."""
    expected = [report["fetches"] / (n + 1) / total for n in range(keys if keys < 10 else 10)]
    found = [key["key"] for key in report["keys"]]
    truth = [f"user:{n}" for n in range(10)]
    bound = report["fetches"] / 1024
    worst = max(abs(key["count"] - report["fetches"] / (int(key["key"][5:]) + 1) / total) - 4 * (expected[0] ** 0.5)
                for key in report["keys"])
    return {"ten": set(found) == set(truth), "order": found == truth, "worst": worst, "bound": bound}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rate", type=int, default=50000, help="fetches a second; 0: as many as possible")
    parser.add_argument("--memcached", default="memcached")
    options = parser.parse_args()
    server = Server(options.memcached, 64 + options.keys // 5000)
    server.fill(options.keys)
    version = server.stats()["version"]
    drawn, total = draw(options.keys, 500000)
    requests = [b"get " + b" ".join(b"user:%d" % key for key in drawn[n:n + BATCH]) + b"\r\n"
                for n in range(0, len(drawn), BATCH)]
    pairs, reports = [], []
    run_load(server, requests, 1, options.rate)
    for _ in range(options.rounds):
        fetches, alone = run_load(server, requests, options.seconds, options.rate)
        watched_fetches, watched = watch_round(server, requests, options, version, reports)
        pairs.append((alone, watched))
        print(f"alone {fetches / options.seconds:.0f} fetches a second, watched {watched_fetches / options.seconds:.0f}; "
              f"CPU of a fetch: serving {alone[0]:.2f} and {watched[0]:.2f} us, all threads {alone[1]:.2f} and {watched[1]:.2f} us")
    server.close()
    print(f"memcached {version}, {options.keys} keys, {options.rounds} pairs of rounds of {options.seconds:g} s")
    for place, what in enumerate(("threads that serve", "all threads")):
        cost = statistics.median(watched[place] / alone[place] for alone, watched in pairs) - 1
        print(f"CPU time of {what} per fetch, watched half of the time: {100 * cost:+.1f} % (median); "
              f"with a window of 2 s every 60 s, a fifteenth: {100 * cost / 15:+.2f} %")
    for report in reports:
        verdict = judge(report, options.keys, total)
        print(f"window of {report['window_seconds']} s, {report['fetches']} fetches ({report['windows']}): "
              f"ten hottest {'right' if verdict['ten'] else 'WRONG'}, order {'right' if verdict['order'] else 'not'}, "
              f"largest deviation beyond chance {max(0, verdict['worst']):.0f}, bound {verdict['bound']:.0f}, "
              f"distinct {report['distinct_keys']}")
    return all(judge(report, options.keys, total)["worst"] <= judge(report, options.keys, total)["bound"] for report in reports)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
