"""
What bends the cost: curves over the number of servers, of their series and of scrapers, with and without kept connections,
and one answer as large as the machine's descriptors allow.

    ./dev bench --growth [--quick]      writes growth-*.svg beside this file, and prints the same as tables

All servers are simulated (fleet.c). Each point is a median over rounds; those of one curve are measured in turn. The
cost is processor time of the exporter per server and scrape, by the scheduler's account.
"""

import contextlib
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request

import callgrind
import chart
import report
from servers import Simulated
from subjects import Exporter, Floor, ScrapeWork, alternate, cpu_ns, memory_kib
from support.process import wait_until
from support.prometheus import Prometheus

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ("--memcached.timeout=20s", "--web.max-requests=64")
COMMANDS = ("stats", "stats-settings", "stats-items", "stats-slabs")
CONFIG = """
scrape_configs:
  - job_name: memcached
    honor_labels: true
    scrape_interval: %ds
    scrape_timeout: %ds
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""
# A page of 1 MiB with the default growth factor has at most 63 classes of slabs.
CLASSES_MAX = 63


def class_lines(name, number):
    """The lines that the capture's first class of slabs has, for a class of that number."""
    lines = pathlib.Path(f"{callgrind.CAPTURE}-{name}.txt").read_text(encoding="ascii").splitlines()
    before = {"stats-items": "STAT items:1:", "stats-slabs": "STAT 1:"}[name]
    after = before.replace("1:", f"{number}:")
    return [after + line.removeprefix(before) for line in lines if line.startswith(before)]


def capture_with(folder, classes):
    """A capture of a server with so many classes of slabs; without any, one that says `stats` alone."""
    prefix = folder / f"{classes}-classes"
    for name in COMMANDS:
        text = pathlib.Path(f"{callgrind.CAPTURE}-{name}.txt").read_text(encoding="ascii", errors="strict")
        if name in ("stats-items", "stats-slabs"):
            text = "".join(line + "\n" for n in range(classes) for line in class_lines(name, n + 1)) + "END\n"
        elif name == "stats-settings" and not classes:
            text = "END\n"
        lines = text.splitlines()
        pathlib.Path(f"{prefix}-{name}.txt").write_text("".join(line + "\r\n" for line in lines), encoding="ascii",
                                                        newline="")
    return prefix


class Growth:
    def __init__(self, build, quick, say):
        self.programs, self.binary, self.say = build / "test/bench", build / "memcached_fleet_exporter", say
        self.rounds = 3 if quick else 7
        self.sizes = (100, 1000, 3000) if quick else (100, 300, 1000, 3000, 10000)
        self.largest = 10000 if quick else 100000
        self.fleet = 100 if quick else 500
        self.rows = {}

    def exporter(self, stack, targets, *flags):
        started = Exporter(self.binary, (*FLAGS, *flags), targets)
        stack.callback(started.stop)
        return started

    def floor(self, stack, targets, bytes_each, fresh=False):
        started = Floor(self.programs, targets, bytes_each, fresh)
        stack.callback(started.stop)
        return started

    def work(self, name, exporter, count, **how):
        times = max(2, 2000 // count) * how.get("connections", 1)
        return ScrapeWork(self.programs, name, exporter, how.pop("paths", ["/metrics"]), count, times, **how)

    def show(self, name, title, x_name, curves):
        """`curves` as chart.draw takes them, in microseconds per server."""
        (HERE / f"growth-{name}.svg").write_text(
            chart.draw(title, x_name, "us of CPU per server", curves), encoding="utf-8")
        xs = sorted({x for points in curves.values() for x, _ in points})
        rows = [[f"{x:,}"] + [next((f"{y:.1f}" for at, y in points if at == x), "") for points in curves.values()]
                for x in xs]
        print(f"\n{title}\n")
        report.print_table([x_name, *curves], rows)

    def over_servers(self, servers):
        """Kept connections and new ones, beside the floors that do the same."""
        names = ("floor", "/metrics", "/metrics, gzip", "floor, new connections", "/metrics, new connections")
        curves = {name: [] for name in names}
        for count in self.sizes:
            self.say(f"{count} servers")
            targets = servers.targets[:count]
            with contextlib.ExitStack() as stack:
                kept = self.exporter(stack, targets)
                fresh = self.exporter(stack, targets, "--memcached.idle-timeout=0")
                plain = self.work(names[1], kept, count)
                plain.run()
                works = [self.work(names[0], self.floor(stack, targets, plain.bytes), count, paths=["/"]), plain,
                         self.work(names[2], kept, count, encoding="gzip"),
                         self.work(names[3], self.floor(stack, targets, plain.bytes, True), count, paths=["/"]),
                         self.work(names[4], fresh, count)]
                plain.cpu_us.clear()
                alternate(works, self.rounds)
            for work in works:
                curves[work.name].append((count, work.cpu))
        kept = {name: curves[name] for name in names[:3]}
        fresh = {name.removesuffix(", new connections"): curves[name] for name in names[3:]}
        self.show("servers", "What a server costs, as the fleet grows", "servers", kept)
        self.show("connections", "The same with a new connection for each scrape", "servers", fresh)

    def over_series(self):
        curves = {"/metrics": [], "/metrics, gzip": []}
        with tempfile.TemporaryDirectory() as folder:
            for classes in (0, 5, 15, 30, CLASSES_MAX):
                self.say(f"{classes} classes of slabs")
                capture = capture_with(pathlib.Path(folder), classes)
                with contextlib.ExitStack() as stack:
                    servers = Simulated(self.programs, capture, self.fleet)
                    stack.callback(servers.stop)
                    exporter = self.exporter(stack, servers.targets)
                    series = self.series(exporter)
                    works = [self.work("/metrics", exporter, self.fleet),
                             self.work("/metrics, gzip", exporter, self.fleet, encoding="gzip")]
                    alternate(works, self.rounds)
                for work in works:
                    curves[work.name].append((series, work.cpu))
        self.show("series", f"What a server costs, as its series grow ({self.fleet} servers)", "series of a server", curves)

    def series(self, exporter):
        """How many samples each server has."""
        with urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}/metrics", timeout=60) as answer:
            return sum(b"{instance=" in line or b",instance=" in line for line in answer if line[:1] != b"#") // self.fleet

    def over_scrapers(self, servers):
        curves = {"/metrics": [], "/metrics, gzip": []}
        targets = servers.targets[:self.fleet]
        with contextlib.ExitStack() as stack:
            exporter = self.exporter(stack, targets)
            for count in (1, 2, 4, 8, 16):
                self.say(f"{count} scrapers")
                works = [self.work("/metrics", exporter, self.fleet, connections=count),
                         self.work("/metrics, gzip", exporter, self.fleet, connections=count, encoding="gzip")]
                alternate(works, self.rounds)
                for work in works:
                    curves[work.name].append((count, work.cpu))
        self.show("scrapers", f"What a server costs, as more ask at once ({self.fleet} servers)", "scrapers at once", curves)

    def in_one_answer(self, servers):
        """As many servers as the descriptors allow: time, memory, and how long others wait."""
        targets = servers.targets
        self.say(f"{len(targets)} servers in one answer")
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            config = pathlib.Path(folder) / "exporter.yml"
            listed = pathlib.Path(folder) / "targets.json"
            listed.write_text('[{"targets": [' + ",".join(f'"{target}"' for target in targets) + "]}]", encoding="ascii")
            config.write_text(f"groups: [{{name: all, file_sd: {{files: [{listed}]}}}}]\n", encoding="ascii")
            exporter = self.exporter(stack, (), f"--config.file={config}", "--scrape.timeout-offset=0s")
            wait_until(lambda: self.ready(exporter), "the servers", seconds=60)
            rest = exporter.memory_kib("VmRSS")
            first = self.scrape(exporter, len(targets), 1)
            later = self.scrape(exporter, len(targets), 3)
            peak, after = exporter.memory_kib("VmHWM"), exporter.resident_at_rest_kib()
            up = self.up(exporter)
        print(f"\n{len(targets):,} simulated servers in one answer: {up:,} up; the first took {first.wall_s[0]:.2f} s, which made all "
              f"connections, later ones {later.wall_ms / 1000:.2f} s; {later.bytes * len(targets) / 1e6:,.0f} MB of text; resident "
              f"{rest / 1024:.0f} MB before, {peak / 1024:.0f} MB at the peak, {after / 1024:.0f} MB after; the longest "
              f"/-/healthy beside them took {max(later.beside_ms):.1f} ms, 99 % took {report.quantile(sorted(later.beside_ms), 99):.1f} ms")

    def in_prometheus(self, servers):
        """What the answers cost the Prometheus that takes them: its processor time for a sample, its memory for a series."""
        if not shutil.which("prometheus"):
            self.say("no prometheus: what it takes is left out")
            return
        count, interval_s, scrapes = 2 * self.fleet, 2, 10
        self.say(f"Prometheus over {count} servers")
        with contextlib.ExitStack() as stack:
            exporter = self.exporter(stack, servers.targets[:count])
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            prometheus = Prometheus(folder / "prometheus", CONFIG % (interval_s, interval_s, exporter.port))
            stack.callback(prometheus.stop)
            empty = memory_kib(prometheus.process.pid)
            wait_until(lambda: self.scrapes_of(prometheus) >= 2, "two scrapes", seconds=60)
            before, cpu_before = self.scrapes_of(prometheus), cpu_ns(prometheus.process.pid)
            wait_until(lambda: self.scrapes_of(prometheus) >= before + scrapes, "more scrapes", seconds=60, pause=0.2)
            done, cpu = self.scrapes_of(prometheus) - before, cpu_ns(prometheus.process.pid) - cpu_before
            (_, samples), = prometheus.query('scrape_samples_scraped{job="memcached"}')
            memory = memory_kib(prometheus.process.pid) - empty
        print(f"\nPrometheus, {int(samples):,} series of {count} servers: {cpu / done / int(samples):.0f} ns of CPU for each sample, "
              f"{memory / int(samples):.1f} KB of memory for each series")

    @staticmethod
    def scrapes_of(prometheus):
        with contextlib.suppress(IndexError):
            return int(float(prometheus.query('count_over_time(up{job="memcached"}[10m])')[0][1]))
        return 0

    def scrape(self, exporter, count, times):
        work = ScrapeWork(self.programs, "largest", exporter, ["/metrics"], count, times, beside="/-/healthy")
        work.command[work.command.index("-w") + 1] = 0
        work.warmup = 0
        work.run()
        return work

    @staticmethod
    def ready(exporter):
        with contextlib.suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}/-/ready", timeout=60).status == 200

    @staticmethod
    def up(exporter):
        with urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}/metrics?name[]=memcached_up", timeout=60) as answer:
            return sum(line.startswith(b"memcached_up{") and line.endswith(b" 1\n") for line in answer)

    def run(self):
        print(report.machine())
        with contextlib.ExitStack() as stack:
            servers = Simulated(self.programs, callgrind.CAPTURE, self.sizes[-1])
            stack.callback(servers.stop)
            self.over_servers(servers)
            self.over_scrapers(servers)
            self.in_prometheus(servers)
        self.over_series()
        with contextlib.ExitStack() as stack:
            servers = Simulated(self.programs, callgrind.CAPTURE, self.largest)
            stack.callback(servers.stop)
            self.in_one_answer(servers)
