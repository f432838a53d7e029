"""
How fast the exporter is, against a floor, on this machine, now:

    ./dev bench [--quick] [--against PATH]      --renew only writes instructions.txt
    ./dev bench --growth [--quick]              curves, see growth.py
    ./dev bench --shards                        100 exporters of 10,000 servers on paper, see shards.py

The method. The floor (floor.c) is a bare epoll client that asks the same servers the same four commands, throws their
answers away, and answers the same HTTP request with as many bytes as the exporter's plain text has: nothing that asks so
many servers and says so much can be faster here. Compressing may therefore pay for itself in bytes that are not sent.
Exporter and floor work in turn, several rounds of each in one run, so that what disturbs the machine for a while
disturbs both; figures are medians over all rounds, and what counts is their ratio. Who asks both is a C program
(scraper.c) that throws the answers away, over a kept connection.

- Servers: real memcached up to 1,000, each with an address of its own in 127/8, filled so that its replies have 10 KB;
  beyond, a process or two that play them all (fleet.c) with captured replies. Several sizes show whether cost is linear.
- wall: from the request to the last byte of the answer in which all servers are.
- CPU: the scheduler's account of all threads of the process, per server. Not of the servers, nor of who asks. Spread: how
  far the quartiles of the rounds are apart, as a part of the median.
- bytes: as they are sent.
- peak: the most resident memory that the process ever had (VmHWM). The memory of a server is what a large fleet takes
  beyond what one server does, per server: at the peak, and a second after the last answer.
- healthy: while the largest answer is made, a second connection asks for /-/healthy every 2 ms; the longest of these
  answers says how long the loop was held, with the machine's own hiccups in it.
- instructions: of a release build under callgrind, see callgrind.py.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import callgrind  # noqa: E402  (the path above)
import growth  # noqa: E402
import report  # noqa: E402
import shards  # noqa: E402
from servers import MEMCACHED_KIB, TARGETS_IN_PROCESS, Real, Shared, Simulated, available_kib  # noqa: E402
from subjects import Exporter, Floor, FloorWork, ScrapeWork, alternate  # noqa: E402
from support.tls import Certificate  # noqa: E402

FLAGS = ("--memcached.timeout=5s",)
SINGLE_SCRAPES = 2000
SCRAPE_TARGETS = 50  # of a scrape under callgrind
SPARE = 500  # descriptors beside those of the servers


class Bench:
    """One run: where the programs are, how thorough it is, what was found."""

    def __init__(self, build, options):
        self.programs, self.binary = build / "test/bench", build / "memcached_fleet_exporter"
        self.against = options.against
        self.rounds = 3 if options.quick else 7
        self.real = [200] if options.quick else [200, 1000]
        self.simulated = [100, 2000] if options.quick else [100, 1000, 10000]
        self.report = report.Report()
        self.one_kib = {}  # memory of an exporter with one server

    def times(self, count):
        """How often one pass asks so many servers: for about half a second, but at least once."""
        return max(1, min(SINGLE_SCRAPES, 4000 // count))

    def floor(self, stack, works, targets, fresh=False):
        """The floor of the first of these works, which it runs to know its bytes. Goes before them."""
        works[0].run()
        floor = started(stack, Floor(self.programs, targets, works[0].bytes, fresh))
        name = "floor, a new connection each time" if fresh else "floor"
        return [self.scrape(name, floor, ["/"], len(targets), times=works[0].times), *works]

    def scrape(self, name, exporter, paths, targets, **how):
        return ScrapeWork(self.programs, name, exporter, paths, targets, how.pop("times", self.times(targets)), **how)

    # --- One server ---

    def one(self, servers):
        """Single scrapes, one at a time."""
        say("one server")
        target = servers.targets[:1]
        with contextlib.ExitStack() as stack:
            own = start(stack, self.binary, FLAGS, target)
            named = start(stack, self.binary, FLAGS)
            works = [self.scrape("/metrics", own, ["/metrics"], 1),
                     self.scrape("/metrics, gzip", own, ["/metrics"], 1, encoding="gzip"),
                     self.scrape("/scrape?target=", named, ["/scrape?target=" + target[0]], 1)]
            if self.against:
                other = start(stack, self.against)
                works.append(self.scrape(self.other("/scrape?target="), other, ["/scrape?target=" + target[0]], 1))
                other = start(stack, self.against, (), target)
                works.append(self.scrape(self.other("/metrics"), other, ["/metrics"], 1))
            works = self.floor(stack, works, target)
            alternate(works, self.rounds)
            self.one_kib = {"peak": own.memory_kib("VmHWM"), "rest": own.resident_at_rest_kib()}
        self.report.add_single(works)
        goal, scrapes = self.report.goal, self.rounds * SINGLE_SCRAPES
        goal("one server, /metrics: p50 over the floor's", works[1].wall_ms / works[0].wall_ms, 1.5, "x")
        goal("one server, /scrape: p50 over the floor's", works[3].wall_ms / works[0].wall_ms, 1.25, "x")
        goal(f"resident with one server after {scrapes} scrapes", self.one_kib["peak"] / 1024, 5, "MB")

    # --- A fleet in one answer ---

    def other(self, what):
        return f"{pathlib.Path(self.against).name} {what}"

    def add_against(self, stack, works, targets):
        """Exporters that know one server in a scrape are asked for one after the other, and for many at once."""
        exporter = start(stack, self.against)
        paths = ["/scrape?target=" + target for target in targets]
        for connections in (1, 16, 64):
            name = self.other(f"/scrape, {connections} at once")
            works.append(self.scrape(name, exporter, paths, len(targets), times=1, connections=connections))

    def fleet(self, kind, targets, fresh=False):
        """Rows for so many servers. Returns the works, floor, plain and gzip first, and how much memory a server took."""
        count = len(targets)
        say(f"{count} {kind} servers")
        with contextlib.ExitStack() as stack:
            exporter = start(stack, self.binary, FLAGS, targets)
            self.scrape("warming up", exporter, ["/metrics"], count, times=2).run()
            works = [self.scrape("/metrics", exporter, ["/metrics"], count),
                     self.scrape("/metrics, gzip", exporter, ["/metrics"], count, encoding="gzip"),
                     self.scrape("/metrics, zstd", exporter, ["/metrics"], count, encoding="zstd")]
            works = self.floor(stack, works, targets)
            if self.against and kind == "real":
                self.add_against(stack, works, targets)
            alternate(works, self.rounds)
            memory = {"peak": exporter.memory_kib("VmHWM"), "rest": exporter.resident_at_rest_kib()}
        self.report.add_fleet(kind, works)
        if fresh:
            self.fresh(kind, targets)
        return works, memory

    def fresh(self, kind, targets):
        """The same without keeping connections."""
        with contextlib.ExitStack() as stack:
            exporter = start(stack, self.binary, (*FLAGS, "--memcached.idle-timeout=0"), targets)
            works = [self.scrape("/metrics, --memcached.idle-timeout=0", exporter, ["/metrics"], len(targets))]
            works = self.floor(stack, works, targets, fresh=True)
            alternate(works, max(2, self.rounds // 2))
        self.report.add_fleet(kind, works)

    def real_fleets(self, servers):
        for count in self.real:
            servers.grow(count)
            (floor, plain, gzip, *_), _ = self.fleet("real", servers.targets, fresh=True)
            goal = self.report.goal
            goal(f"{count} real servers: wall over the floor's", plain.wall_ms / floor.wall_ms, 1.1, "x")
            goal(f"{count} real servers, gzip: wall over the floor's", gzip.wall_ms / floor.wall_ms, 1.2, "x")
            goal(f"{count} real servers: CPU over the floor's", plain.cpu / floor.cpu, 1.6, "x")
            goal(f"{count} real servers, gzip: CPU over the floor's", gzip.cpu / floor.cpu, 2.2, "x")

    def simulated_fleets(self, servers):
        works = {count: self.fleet("simulated", servers.targets[:count]) for count in self.simulated}
        small, large = self.simulated[0], self.simulated[-1]
        ((few, little, *_), _), ((many, much, *_), memory) = works[small], works[large]
        self.fresh("simulated", servers.targets[:large])
        goal = self.report.goal
        goal(f"{large} simulated servers in one answer", much.wall_ms / 1000, 5, "s")
        goal(f"CPU per server of {large} over that of {small} (the floor's: {many.cpu / few.cpu:.2f})",
             much.cpu / little.cpu, 1.2, "x")
        goal(f"memory per server of {large}, at the peak", (memory["peak"] - self.one_kib["peak"]) / large, 24, "KB")
        goal(f"memory per server of {large}, at rest", (memory["rest"] - self.one_kib["rest"]) / large, 6, "KB")
        self.hold(servers.targets[:large])

    def hold(self, targets):
        """How long others wait while the largest answer is made."""
        say("how long the loop is held")
        with contextlib.ExitStack() as stack:
            exporter = start(stack, self.binary, FLAGS, targets)
            for name, encoding in (("plain", None), ("gzip", "gzip")):
                work = self.scrape(name, exporter, ["/metrics"], len(targets), times=3, encoding=encoding,
                                   beside="/-/healthy")
                work.run()
                waits = sorted(work.beside_ms)
                what = f"/-/healthy beside {len(targets)} servers, {name}"
                self.report.goal(f"{what}: 99 % of {len(waits)}", report.quantile(waits, 99), 20, "ms")
                self.report.goal(f"{what}: longest", waits[-1], 20, "ms")

    # --- The whole ---

    def size(self):
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, self.binary], check=True)
            self.report.goal("stripped binary", os.path.getsize(stripped.name) / 1024, 1024, "KB")

    def kept_connection(self):
        """What a connection that is kept costs the memcached at its other end."""
        count = 5000
        with contextlib.ExitStack() as stack:
            servers = started(stack, Real(("-c", str(count + 100))))
            servers.grow(1)
            before = servers.resident_kib()
            FloorWork(self.programs, servers.targets * count, 1).run()
            self.report.note(f"a kept connection costs memcached {(servers.resident_kib() - before) / count:.1f} KB "
                             f"(of {count} to one server)")

    def secure(self):
        """What TLS costs the exporter beside plain TCP, with connections that are kept, and with sessions resumed."""
        count = self.real[-1]
        say(f"{count} servers over TLS")
        tls = (*FLAGS, "--memcached.tls.enable", "--memcached.tls.insecure-skip-verify")
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            plain = started(stack, Shared(count))
            secured = started(stack, Shared(count, Certificate(folder, "server")))
            exporters = [start(stack, self.binary, FLAGS, plain.targets), start(stack, self.binary, tls, secured.targets),
                         start(stack, self.binary, (*tls, "--memcached.idle-timeout=0"), secured.targets)]
            names = ("/metrics, plain", "/metrics, TLS", "/metrics, TLS, --memcached.idle-timeout=0")
            works = [FloorWork(self.programs, plain.targets, self.times(count))]
            works += [self.scrape(name, exporter, ["/metrics"], count) for name, exporter in zip(names, exporters)]
            alternate(works, max(2, self.rounds // 2))
            rest = [exporter.resident_at_rest_kib() for exporter in exporters]
        self.report.add_fleet("addresses of one server", works)
        self.report.note(f"{count} kept TLS connections take {(rest[1] - rest[0]) / 1024:.1f} MB more than plain ones, some "
                         f"8 MB of which are OpenSSL's own; a poll over one takes {works[2].cpu - works[1].cpu:.1f} us more CPU; with a handshake that resumes a "
                         f"session, {works[3].cpu - works[1].cpu:.1f} us more")

    def instructions(self, servers):
        say("instructions")
        for what, value in callgrind.measure(self.programs, servers.port).items():
            self.report.note(f"instructions per server, {what}: {value}" if what != "made-with" else value)
        for answer in callgrind.ANSWERS:
            count = callgrind.scrape(self.binary, servers.targets[:SCRAPE_TARGETS], answer)
            self.report.note(f"instructions per server, a whole scrape as {answer}: {count}")

    def run(self):
        with contextlib.ExitStack() as stack:
            servers = started(stack, Simulated(self.programs, callgrind.CAPTURE, self.simulated[-1]))
            self.instructions(servers)
            real = started(stack, Real())
            real.grow(1)
            self.one(real)
            self.real_fleets(real)
            real.stop()
            self.simulated_fleets(servers)
        self.secure()
        self.kept_connection()
        self.size()
        self.report.print()


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def started(stack, thing):
    stack.callback(thing.stop)
    return thing


def start(stack, binary, flags=(), targets=()):
    return started(stack, Exporter(binary, flags, targets))


def raise_limit(wanted):
    """Every process inherits it. Returns how many descriptors each may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most if most != resource.RLIM_INFINITY else wanted


def fit(bench):
    """Leaves out what the machine cannot hold, and says so."""
    count = bench.simulated[-1]
    limit = raise_limit(max(count, 2 * TARGETS_IN_PROCESS) + SPARE)
    if limit < count + SPARE:
        say(f"ulimit -n allows only {limit} descriptors: {limit - SPARE} simulated servers instead of {count}")
        bench.simulated[-1] = limit - SPARE
    room = available_kib() // MEMCACHED_KIB
    if room < bench.real[-1]:
        say(f"memory for {room} memcached, not for {bench.real[-1]}")
        bench.real = [count for count in bench.real if count < room] + [room]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer servers and rounds, in less than a minute")
    parser.add_argument("--renew", action="store_true", help="only count instructions, for the tests")
    parser.add_argument("--growth", action="store_true", help="curves over servers, series and scrapers")
    parser.add_argument("--shards", action="store_true", help="how a million servers divide among exporters")
    parser.add_argument("--against", metavar="PATH", help="another exporter, measured on the same servers")
    options = parser.parse_args()
    if options.against and not os.access(options.against, os.X_OK):
        parser.error(f"--against {options.against}: no program")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    bench = Bench(pathlib.Path(options.build).resolve(), options)
    if options.shards:
        shards.run(bench.programs)
        return
    if options.growth:
        curves = growth.Growth(pathlib.Path(options.build).resolve(), options.quick, say)
        curves.largest = min(curves.largest, raise_limit(curves.largest + SPARE) - SPARE)
        curves.run()
        return
    fit(bench)
    if options.renew:
        with contextlib.ExitStack() as stack:
            servers = started(stack, Simulated(bench.programs, callgrind.CAPTURE, callgrind.ENCODE_TARGETS))
            callgrind.write_figures(callgrind.measure(bench.programs, servers.port))
        print(callgrind.FIGURES.read_text(encoding="ascii"), end="")
    else:
        bench.run()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except AssertionError as failure:
        sys.exit(f"bench: {failure}")
