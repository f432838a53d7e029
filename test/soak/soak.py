"""
Many scrapes at full speed for a long time, of an exporter whose targets, servers and configuration change meanwhile.
Memory, descriptors, handles of the event loop and the loop's lag are read again and again, and shown as a chart. At the
end, a line through each of them must not rise.

    soak.py [MINUTES] [--scrapes=N] [--servers=N] [--interval=SECONDS] [--seed=N]
"""

import argparse
import gzip
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from bench.subjects import cpu_ns  # noqa: E402  (needs the path above)
from soak.trend import FEWEST, Trend, chart, settled  # noqa: E402
from support.exporter import Exporter, binary  # noqa: E402
from support.exposition import Exposition  # noqa: E402
from support.memcached import Memcached  # noqa: E402

ROUND = 2000  # scrapes of one connection; then another connection is made
LAG_QUANTILE = 0.99
RESIDENT_PAUSE_S = 0.1


class Quantity:
    """`allowed`: how much its line may rise, as a share of its mean and beyond that."""

    def __init__(self, name, unit, share, beyond):
        self.name, self.unit, self.share, self.beyond = name, unit, share, beyond
        self.values = []

    def trend(self):
        return Trend(settled(self.values))

    def allowed(self):
        return self.share * statistics.fmean(settled(self.values)) + self.beyond

    def line(self):
        low, high, last = min(self.values), max(self.values), self.values[-1]
        return f"{self.name:12} {chart(self.values)}  {low:.6g} to {high:.6g}, now {last:.6g} {self.unit}"


class Lag:
    """How long turns of the loop are, from the histogram: of those since the last reading."""

    def __init__(self):
        self.before = {}

    def read(self, exposition):
        name = "memcached_exporter_event_loop_lag_seconds_bucket"
        now = {float(labels["le"]): float(value) for labels, value in exposition.find(name)}
        new = {bound: count - self.before.get(bound, 0) for bound, count in now.items()}
        self.before = now
        return quantile(new, LAG_QUANTILE)


def quantile(buckets, share):
    """By straight lines between the bounds, as Prometheus does."""
    wanted, below, low = share * max(buckets.values()), 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= wanted and count > below:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        below, low = count, bound if bound != float("inf") else low
    return low


class Soak:
    """Each `_keep_` method is a thread, until `over` is set."""

    def __init__(self, options):
        self.options = options
        self.over = threading.Event()
        self.faults = []
        self.scraped = self.reloads = self.kills = self.checked = 0
        self.bytes, self.took, self.cpu_s = 0, 0.0, 0.0
        self.lag = Lag()
        self.memory = Quantity("memory", "KiB", 0.02, 256)
        self.descriptors = Quantity("descriptors", "", 0.02, 8)
        self.handles = Quantity("handles", "", 0.02, 8)
        self.lags = Quantity("loop lag", f"ms ({LAG_QUANTILE:.0%} of turns)", 1.0, 1)
        self.quantities = [self.memory, self.descriptors, self.handles, self.lags]
        self.servers = [Memcached() for _ in range(options.servers)]
        self.dead = set()
        self.directory = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.directory.name, "config.yml")
        self.paths = pathlib.Path(self.directory.name, "paths")
        self.paths.write_text("/metrics\n", encoding="ascii")
        self.rng = random.Random(options.seed)
        self._write_config()
        self.exporter = Exporter(f"--config.file={self.file}", "--web.enable-lifecycle", "--memcached.timeout=5s", "--log.level=error",
                                 targets=None, release=True)

    # --- What changes --------------------------------------------------------------------------------------------

    def _write_config(self):
        """Some of the servers, some targets that nobody listens on, and labels that no earlier file had."""
        addresses = [server.address for server in self.rng.sample(self.servers, self.rng.randint(1, len(self.servers)))]
        addresses += [f"127.0.0.1:{self.rng.randint(1, 999)}" for _ in range(self.rng.randint(0, 2))]
        group = {"name": "soak", "labels": {"round": str(self.reloads)}, "targets": list(dict.fromkeys(addresses))}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"groups": [group]}), encoding="utf-8")
        new.rename(self.file)

    def _keep_reloading(self):
        while not self.over.wait(self.rng.uniform(0.5, 1.5)):
            self._write_config()
            status = self.exporter.get("/-/reload", method="POST", timeout=60).status
            self.reloads += 1
            if status != 200:
                self.faults.append(f"a reload was answered with {status}")

    def _keep_killing(self):
        rng = random.Random(self.options.seed + 1)
        while not self.over.wait(rng.uniform(1, 5)):
            server = rng.choice(self.servers)
            self.dead.add(server.address)
            server.restart()
            self.kills += 1
            self.over.wait(1)
            self.dead.discard(server.address)

    # --- Those who ask -------------------------------------------------------------------------------------------

    def _keep_scraping(self):
        """At full speed, on a connection that is kept for a round."""
        scraper = pathlib.Path(binary(release=True)).parent / "test/bench/scraper"
        while not self.over.is_set():
            done = subprocess.run([scraper, "-n", str(ROUND), str(self.exporter.port), self.paths], capture_output=True, text=True,
                                  timeout=600, check=False)
            if done.returncode:
                self.faults.append(f"the scraper: {done.stderr.strip()}")
                self.over.wait(1)
                continue
            self.scraped += ROUND
            self.bytes += json.loads(done.stdout)["bytes"]
            if self.options.scrapes and self.scraped >= self.options.scrapes:
                self.over.set()

    def _keep_checking(self):
        """A client that compresses, makes a connection for each scrape, and looks at what it is told."""
        while not self.over.wait(0.5):
            dead = set(self.dead)
            answer = self.exporter.get("/metrics", headers={"Accept-Encoding": "gzip"}, timeout=60)
            exposition = Exposition(gzip.decompress(answer.body))
            dead |= self.dead
            known = {server.address for server in self.servers} - dead
            ups = {labels["instance"]: value for labels, value in exposition.find("memcached_up")}
            down = [address for address, value in ups.items() if address in known and value != "1"]
            self.checked += 1
            if down or not ups:
                self.faults.append(f"down without a reason: {down or 'no targets at all'}")

    # --- What is measured ----------------------------------------------------------------------------------------

    def _keep_measuring(self):
        """The memory and the descriptors of a reading are the least since the last one: each scrape has some for a while."""
        while not self.over.is_set():
            resident, descriptors, end = [], [], time.monotonic() + self.options.interval
            while time.monotonic() < end and not self.over.wait(RESIDENT_PAUSE_S):
                resident.append(self.exporter._resident_kib())
                descriptors.append(self.exporter.descriptors())
            if self.over.is_set():
                return
            exposition = self.exporter.exposition()
            self.memory.values.append(min(resident))
            self.descriptors.values.append(min(descriptors))
            self.handles.values.append(float(exposition.value("memcached_exporter_event_loop_handles")))
            self.lags.values.append(self.lag.read(exposition) * 1e3)
            self._show()

    def _show(self):
        if len(self.memory.values) > 1 and sys.stdout.isatty():
            print(f"\x1b[{len(self.quantities) + 1}A\x1b[J", end="")
        if len(self.memory.values) == 1 or sys.stdout.isatty():
            self._print_chart()
        else:
            values = ", ".join(f"{quantity.name} {quantity.values[-1]:.6g}" for quantity in self.quantities)
            print(f"{time.monotonic() - self.begin:.0f} s, {self.scraped} scrapes, {values}", flush=True)

    def _print_chart(self):
        print(f"{time.monotonic() - self.begin:.0f} s, {self.scraped} scrapes, {self.reloads} reloads, {self.kills} servers restarted")
        for quantity in self.quantities:
            print(quantity.line(), flush=True)

    # --- All of it -----------------------------------------------------------------------------------------------

    def _guarded(self, work):
        try:
            work()
        except Exception:  # one thread that ends must not look like a quiet run
            if not self.over.is_set():
                self.faults.append(traceback.format_exc())
                self.over.set()

    def run(self):
        self.begin = time.monotonic()
        cpu_before = cpu_ns(self.exporter.pid)
        work = (self._keep_reloading, self._keep_killing, self._keep_scraping, self._keep_checking, self._keep_measuring)
        threads = [threading.Thread(target=self._guarded, args=(job,)) for job in work]
        for thread in threads:
            thread.start()
        self.over.wait(None if self.options.scrapes else self.options.minutes * 60)
        self.over.set()
        for thread in threads:
            thread.join()
        self.took = time.monotonic() - self.begin
        if self.exporter.process.running:
            self.cpu_s = (cpu_ns(self.exporter.pid) - cpu_before) / 1e9

    def end(self):
        for stop in (self.exporter.stop, *(server.kill for server in self.servers)):
            try:
                stop()
            except AssertionError as failure:
                self.faults.append(str(failure))
        self.directory.cleanup()

    def _judge(self):
        if len(settled(self.memory.values)) < FEWEST:
            print(f"fewer than {FEWEST} readings after the first quarter: nothing can be said of trends")
            return
        for quantity in self.quantities:
            trend, allowed = quantity.trend(), quantity.allowed()
            print(f"{quantity.name:12} rises by {trend.rise:+.4g} {quantity.unit} ({trend.certainty:+.1f} standard errors); allowed: {allowed:.4g}")
            if trend.grows(allowed):
                self.faults.append(f"{quantity.name} grows")

    def report(self):
        """The exit code: 0 if all was well."""
        if self.memory.values:
            self._print_chart()
            self._judge()
        print(f"{self.scraped} scrapes in {self.took:.0f} s, {self.bytes / 1e9:.2f} GB, {self.cpu_s / max(1, self.scraped) * 1e6:.0f} us of "
              f"CPU time each; {self.reloads} reloads, {self.kills} servers restarted, {self.checked} answers checked")
        for fault in self.faults[:20]:
            print(f"fault: {fault}")
        print(f"{len(self.faults)} faults")
        return 1 if self.faults or not self.scraped else 0


def main():
    parser = argparse.ArgumentParser(prog="./dev soak", description="many scrapes for a long time, and nothing that grows")
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    parser.add_argument("--scrapes", type=int, default=0, help="end after so many, instead of after minutes")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--interval", type=float, default=10, help="seconds between two readings")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    soak = Soak(options)
    try:
        soak.run()
    finally:
        soak.end()
    return soak.report()


if __name__ == "__main__":
    sys.exit(main())
