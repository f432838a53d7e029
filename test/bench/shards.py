"""
A million servers on paper: how they divide among 100 exporters, what a changed number of exporters moves, and how many
connections all exporters make at once after they were restarted together.

    ./dev bench --shards

Shares and moves come from the program's own hash (shards.c). The herd is simulated: Prometheus asks each of its targets
at an offset of its own within the interval; the first scrape of an exporter makes all its connections, at the rate that
was measured for one exporter, and never more than --memcached.max-connecting at a time.
"""

import json
import random
import subprocess

import report

SERVERS = 1_000_000
EXPORTERS = 100
OTHERS = (99, 101, 110, 200)
INTERVAL_S = 15.0
# A first scrape of 10,000 simulated servers took about a second on two cores.
CONNECTIONS_PER_S = 10_000
ROUND_TRIPS_MS = (0.2, 1, 5, 20)
MAX_CONNECTING = 256
RUNS = 200


def divide(programs):
    command = [programs / "shards", SERVERS, EXPORTERS, *OTHERS]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def show_shares(lines):
    rows = []
    for line in lines:
        mean = SERVERS / line["shards"]
        # The least that has to move: what the exporters that are new, or gone, have.
        kept = min(line["shards"], EXPORTERS) / max(line["shards"], EXPORTERS)
        rows.append([f"{line['shards']}", f"{line['least']:,}", f"{line['most']:,}", f"{line['most'] / mean - 1:+.1%}",
                     f"{line['moved'] / SERVERS:.2%}", f"{1 - kept:.2%}"])
    report.print_table(["exporters", "fewest servers", "most", "above the mean", "moved from 100", "must move"], rows, texts=0)


def most_at_once(duration_s, chance):
    """How many of the first scrapes, each so long, overlap at most."""
    starts = sorted(chance.uniform(0, INTERVAL_S) for _ in range(EXPORTERS))
    return max(sum(start <= other < start + duration_s for other in starts) for start in starts)


def show_herd():
    chance = random.Random(1)
    rows = []
    for round_trip_ms in ROUND_TRIPS_MS:
        rate = min(CONNECTIONS_PER_S, MAX_CONNECTING / (round_trip_ms / 1000))
        duration_s = SERVERS / EXPORTERS / rate
        overlaps = sorted(most_at_once(duration_s, chance) for _ in range(RUNS))
        typical, worst = report.quantile(overlaps, 50), overlaps[-1]
        waiting = min(MAX_CONNECTING, rate * round_trip_ms / 1000)
        rows.append([f"{round_trip_ms}", f"{duration_s:.1f}", f"{typical}", f"{worst}", f"{typical * rate:,.0f}",
                     f"{worst * rate:,.0f}", f"{worst * waiting:,.0f}"])
    report.print_table(["round trip ms", "first scrape s", "exporters at once", f"worst of {RUNS}", "connections/s", "worst",
                        "half open, worst"], rows, texts=0)


def run(programs):
    print(f"{SERVERS:,} servers, {EXPORTERS} exporters\n")
    show_shares(divide(programs))
    print(f"All exporters restarted at once, scraped every {INTERVAL_S:.0f} s\n")
    show_herd()
