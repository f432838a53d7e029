"""
Hundreds of scripted memcached whose behaviour changes every second, some real ones that are killed and restarted, and
an exporter that four scrapers ask at once, while others hang up, read slowly, reload it and stop its process. The
oracle says which answers were wrong. All the while the exporter pushes to a gateway, and asks an HTTP discovery, which lie
and stall (liars.py). Prints each kind of fault, and "N scrapes, N faults" as its last line.

    chaos.py [SECONDS] [--seed=N] [--servers=N] [--release]
"""

import argparse
import collections
import contextlib
import gzip
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from chaos.behaviours import BEHAVIOURS  # noqa: E402  (needs the path above)
from chaos.liars import Liars  # noqa: E402
from chaos.oracle import YOUNG_S, History, Oracle, Scrape, read  # noqa: E402
from support import http  # noqa: E402
from support.exporter import Exporter  # noqa: E402
from support.memcached import Memcached  # noqa: E402
from support.process import wait_until  # noqa: E402
from support.scripted import ScriptedServers  # noqa: E402

TIMEOUT_S = 2
HEADERS_S = (5, 6, 8, 10)  # one scraper each
REAL_SERVERS = 4
CHANGED_SHARE = 0.1  # of the servers, each second
JUDGED_AFTER_S = 1.0  # what the servers say of themselves has come by then
EXAMPLES = 5  # of each kind of fault that are printed


def run_delay(thread):
    """Seconds that a thread was ready to run, and another one ran; 0 when it is gone."""
    try:
        return int(pathlib.Path("/proc", str(thread), "schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


class Pauses:
    """The times in which the exporter was stopped."""

    def __init__(self):
        self.times = []
        self.since = None

    def overlap(self, begin, end):
        times = self.times + ([(self.since, end)] if self.since else [])
        return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in times)


class Chaos:
    """All that goes on at once. Each `_keep_` method is a thread, until `over` is set."""

    def __init__(self, options):
        self.options, self.random = options, random.Random(options.seed)
        self.over = threading.Event()
        self.faults = collections.defaultdict(list)
        self.scrapes, self.judged, self.lock = collections.deque(), 0, threading.Lock()
        self.pauses, self.errors, self.round = Pauses(), [], 0
        self.readings = []
        self.servers = ScriptedServers(options.servers)
        self.histories = [History(BEHAVIOURS[0]) for _ in range(options.servers)]
        self.real = [Memcached() for _ in range(REAL_SERVERS)]
        self.down = [Pauses() for _ in self.real]
        self.found = Memcached()  # which discovery finds, when it does not lie
        self.liars = Liars(options.seed + 6, self.found.address)
        self.oracle = Oracle(self.servers.addresses, self.histories, self.servers.answers, TIMEOUT_S)
        self.directory = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.directory.name, "config.yml")
        self._write_config()
        os.environ["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=8"
        self.exporter = Exporter(f"--config.file={self.file}", "--web.enable-lifecycle", f"--memcached.timeout={TIMEOUT_S}s",
                                 "--memcached.max-reply=128KiB", "--log.level=error", targets=None, release=options.release)

    # --- What happens to the servers -----------------------------------------------------------------------------

    def _keep_changing(self):
        weights = [behaviour.weight for behaviour in BEHAVIOURS]
        while not self.over.wait(1):
            changed = self.random.sample(range(self.options.servers), max(1, int(self.options.servers * CHANGED_SHARE)))
            picked = [(server, self.random.choices(BEHAVIOURS, weights)[0]) for server in sorted(changed)]
            self._tell([(server, behaviour, behaviour.line(self.random)) for server, behaviour in picked])

    def _tell(self, changes):
        lines, told = [], time.monotonic()
        for server, behaviour, line in changes:
            lines += [f"{server} {behaviour.once}"] if behaviour.once else []
            lines.append(f"{server} {line}")
        followed = self.servers.tell(*lines)
        for server, behaviour, _ in changes:
            self.histories[server].change(told, followed, behaviour)

    def _keep_killing(self):
        rng = random.Random(self.options.seed + 1)
        while not self.over.wait(rng.uniform(1, 4)):
            number = rng.randrange(REAL_SERVERS)
            down = self.down[number]
            down.since = time.monotonic()
            self.real[number].kill()
            self.over.wait(rng.uniform(0, 1))
            self.real[number].start()
            down.times.append((down.since, time.monotonic()))
            down.since = None

    # --- What happens to the exporter ----------------------------------------------------------------------------

    def _write_config(self):
        """A label tells the rounds apart; the targets stay the same."""
        targets = [*self.servers.addresses, *(server.address for server in self.real)]
        new = self.file.with_suffix(".new")
        new.write_text(f"groups:\n  - name: chaos\n    labels: {{ round: '{self.round}' }}\n    targets: [{', '.join(targets)}]\n"
                       f"  - name: found\n    http_sd: {{ url: '{self.liars.url}/sd', refresh: 1s }}\n"
                       f"outputs:\n  push: {{ url: '{self.liars.url}', interval: 3s, timeout: 2s }}\n", encoding="utf-8")
        new.rename(self.file)
        self.round += 1

    def _keep_reloading(self):
        rng = random.Random(self.options.seed + 2)
        while not self.over.wait(rng.uniform(2, 5)):
            if rng.random() < 0.3:
                self.exporter.process.signal(signal.SIGHUP)
                continue
            broken = rng.random() < 0.3
            if broken:
                self.file.write_text("groups: [\n", encoding="utf-8")
            else:
                self._write_config()
            status = self.exporter.get("/-/reload", method="POST", timeout=60).status
            if (status == 200) == broken:
                self._add_fault("reload", f"status {status} for a {'broken' if broken else 'good'} file")
            if broken:
                self._write_config()

    def _keep_pausing(self):
        rng = random.Random(self.options.seed + 3)
        while not self.over.wait(rng.uniform(4, 9)):
            self.pauses.since = time.monotonic()
            self.exporter.process.signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.2, 3))
            self.exporter.process.signal(signal.SIGCONT)
            self.pauses.times.append((self.pauses.since, time.monotonic()))
            self.pauses.since = None

    def _keep_hanging_up(self):
        rng = random.Random(self.options.seed + 4)
        while not self.over.wait(rng.uniform(0.3, 1.5)):
            with contextlib.suppress(OSError), socket.create_connection(self.exporter.where, 30) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"[:rng.choice((9, 36, 36, 36))])
                self.over.wait(rng.uniform(0, 2))

    def _keep_reading_slowly(self):
        rng = random.Random(self.options.seed + 5)
        while not self.over.is_set():
            with contextlib.suppress(OSError), socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(5)
                client.connect(self.exporter.where)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                end = time.monotonic() + rng.uniform(2, 20)
                while time.monotonic() < end and not self.over.wait(0.1) and client.recv(1024):
                    pass

    # --- Those who ask -------------------------------------------------------------------------------------------

    def _delays(self):
        return [run_delay(thread) for thread in (self.exporter.pid, self.servers.pid, "thread-self")]

    def scrape(self, header, gzipped):
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(header)}
        if gzipped:
            headers["Accept-Encoding"] = "gzip"
        before, begin = self._delays(), time.monotonic()
        try:
            answer = http.get(self.exporter.where, "/metrics", headers=headers, timeout=header + 30)
            status, body = answer.status, answer.body
        except (OSError, http.http.client.HTTPException) as error:
            status, body = 0, repr(error).encode()
        end = time.monotonic()
        slack = sum(max(0.0, after - was) for after, was in zip(self._delays(), before)) + self.pauses.overlap(begin, end)
        if status == 200 and gzipped:
            body = gzip.decompress(body)
        return Scrape(begin, end, header, status, body.decode("utf-8", "replace"), slack)

    def _keep_scraping(self, number):
        rng = random.Random(self.options.seed + 10 + number)
        while not self.over.wait(rng.uniform(0.1, 1.5)):
            self.scrapes.append(self.scrape(HEADERS_S[number], rng.random() < 0.5))

    def _keep_measuring(self):
        while not self.over.wait(0.5):
            self.readings.append((self.exporter._resident_kib(), self.exporter.descriptors()))

    # --- What to think of it -------------------------------------------------------------------------------------

    def _add_fault(self, kind, detail):
        self.faults[kind].append(f"{time.monotonic() - self.begin:.1f} s: {detail}")

    def _keep_judging(self):
        """Until the last scrape is judged."""
        while not self.over.is_set() or self.scrapes:
            if not self.scrapes or time.monotonic() < self.scrapes[0].end + JUDGED_AFTER_S:
                time.sleep(0.05)
                continue
            self.judge(self.scrapes.popleft())

    def judge(self, scrape):
        self.judged += 1
        for kind, detail in self.oracle.judge(scrape):
            self._add_fault(kind, detail)
        said = read(scrape.text)
        for number, server in enumerate(self.real):
            if not self.down[number].overlap(scrape.begin - YOUNG_S, scrape.end) and scrape.status == 200 and \
                    said[server.address].get("up") != "1":
                self._add_fault("a real memcached is down", f"{said[server.address]}, slack {scrape.slack:.2f} s")

    def _judge_readings(self):
        """Memory and descriptors are flat: by the least of a stretch, since each scrape takes some for a while."""
        quarter = len(self.readings) // 4
        if quarter < 8:
            return
        early, late = self.readings[quarter:2 * quarter], self.readings[-quarter:]
        kib = [min(kib for kib, _ in part) for part in (early, late)]
        descriptors = [min(count for _, count in part) for part in (early, late)]
        print(f"memory {kib[0]} to {kib[1]} KiB, descriptors {descriptors[0]} to {descriptors[1]}")
        if kib[1] > kib[0] * 1.1 + 16 * 1024:
            self._add_fault("memory", f"{kib[0]} KiB became {kib[1]} KiB")
        if descriptors[1] > descriptors[0] + 200:
            self._add_fault("descriptors", f"{descriptors[0]} became {descriptors[1]}")

    def _judge_recovery(self):
        """When all behave again, all are up, pushes arrive, and nothing of what was open before is left."""
        self.liars.honest.set()
        taken = len(self.liars.pushes)
        self._tell([(server, BEHAVIOURS[0], "answer") for server in range(self.options.servers)])
        time.sleep(TIMEOUT_S + YOUNG_S)
        self.judge(self.scrape(10, False))
        text = self.scrape(10, False).text
        said = read(text)
        down = [address for address in self.servers.addresses if said[address].get("up") != "1"]
        if down:
            self._add_fault("no recovery", f"{len(down)} servers, such as {down[0]}: {said[down[0]]}")
        if self.liars.pushes.count(False):
            self._add_fault("a push that is not whole", f"{self.liars.pushes.count(False)} of {len(self.liars.pushes)}")
        for what, done in (("pushes do not go on", lambda: len(self.liars.pushes) > taken + 1), ("discovery is not believed again", self._finds)):
            try:
                wait_until(done, what, 60, 0.5)
            except AssertionError as failure:
                self._add_fault(what, str(failure))
        most = self.options.servers + REAL_SERVERS + 64
        try:
            wait_until(lambda: self.exporter.descriptors() <= most, "few descriptors")
        except AssertionError:
            self._add_fault("descriptors", f"{self.exporter.descriptors()} are open at the end, more than {most}")

    def _finds(self):
        return read(self.scrape(10, False).text)[self.found.address].get("up") == "1"

    # --- All of it -----------------------------------------------------------------------------------------------

    def _guarded(self, work, *arguments):
        try:
            work(*arguments)
        except Exception:  # one thread that ends must not look like a quiet run
            self.errors.append(traceback.format_exc())
            self.over.set()

    def run(self):
        self.begin = time.monotonic()
        work = [(self._keep_changing,), (self._keep_killing,), (self._keep_pausing,), (self._keep_reloading,), (self._keep_hanging_up,),
                (self._keep_reading_slowly,), (self._keep_reading_slowly,), (self._keep_measuring,), (self._keep_judging,)]
        work += [(self._keep_scraping, number) for number in range(len(HEADERS_S))]
        threads = [threading.Thread(target=self._guarded, args=job) for job in work]
        for thread in threads:
            thread.start()
        self.over.wait(self.options.seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        if not self.errors and self.exporter.process.running:
            self._judge_readings()
            self._judge_recovery()

    def end(self):
        for what, end in (("exit of the exporter", self.exporter.stop), ("scripted servers", self.servers.close),
                          ("gateway and discovery", self.liars.close),
                          *(("real memcached", server.kill) for server in [*self.real, self.found])):
            try:
                end()
            except AssertionError as failure:
                self._add_fault(what, str(failure))
        self.directory.cleanup()

    def report(self):
        """The exit code: 0 if all was well."""
        for error in self.errors:
            self._add_fault("an error of the test itself", error)
        for kind, details in sorted(self.faults.items()):
            print(f"{len(details)} x {kind}")
            for detail in details[:EXAMPLES]:
                print(f"    {detail}")
        faults = sum(map(len, self.faults.values()))
        print(f"{len(self.liars.pushes)} pushes taken, {self.liars.asked} questions of discovery, {self.liars.lies} lies")
        print(f"{self.judged} scrapes, {faults} faults")
        return 1 if faults or not self.judged else 0


def main():
    parser = argparse.ArgumentParser(prog="./dev chaos", description="an exporter in the midst of servers that misbehave")
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of an earlier run, to see it again")
    parser.add_argument("--servers", type=int, default=500)
    parser.add_argument("--release", action="store_true", help="the release build instead of the sanitized one")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chaos = Chaos(options)
    try:
        chaos.run()
    finally:
        chaos.end()
    return chaos.report()


if __name__ == "__main__":
    sys.exit(main())
