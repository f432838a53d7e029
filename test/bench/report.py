"""What a bench has found, as tables for a terminal and for a README alike."""

import datetime
import os
import platform
import subprocess


def quantile(ordered, percent):
    """Of a sorted list."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def said_by(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return ", ".join([
        datetime.date.today().isoformat(), models[0] if models else platform.machine(), f"{os.cpu_count()} cores",
        f"Linux {platform.release()}", said_by("memcached", "-V"),
        "revision " + said_by("git", "describe", "--always", "--dirty")])


def print_table(head, rows, texts=1):
    """Markdown; the first columns, those of texts, to the left, and the others to the right."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    rule = ["-" * width if n < texts else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
    for row in [head, rule, *rows]:
        cells = [cell.ljust(widths[n]) if n < texts else cell.rjust(widths[n]) for n, cell in enumerate(row)]
        print("| " + " | ".join(cells) + " |")
    print()


def ratios(work, floor):
    """The columns that both tables have."""
    return [f"{work.wall_ms / floor.wall_ms:.2f}", f"{work.cpu:.1f}", f"{work.cpu / floor.cpu:.2f}", f"{work.cpu_spread:.0%}",
            f"{work.bytes / 1000:.1f}", f"{work.peak_kib / 1024:.1f}"]


class Report:
    """Fills up as the bench goes on. The first work of each call is the floor that the others are compared with."""

    def __init__(self):
        self.single, self.fleet, self.goals, self.notes = [], [], [], []

    def add_single(self, works):
        for work in works:
            waits = sorted(work.latency_ms)
            self.single.append([work.name, f"{quantile(waits, 50):.3f}", f"{quantile(waits, 99):.3f}",
                                *ratios(work, works[0])])

    def add_fleet(self, kind, works):
        for work in works:
            self.fleet.append([f"{work.targets:,} {kind}", work.name, f"{work.wall_ms:.1f}", *ratios(work, works[0])])

    def goal(self, what, figure, bound, unit):
        """Reached when the figure is not above the bound."""
        self.goals.append([what, f"{figure:.2f} {unit}", f"{bound} {unit}", "ok" if figure <= bound else "MISSED"])

    def note(self, text):
        self.notes.append(text)

    def print(self):
        print(f"\n{machine()}\n")
        common = ["x floor", "CPU us/server", "x floor", "spread", "KB/server", "peak MB"]
        print_table(["one server, one at a time", "p50 ms", "p99 ms", *common], self.single)
        print_table(["servers", "in one answer", "wall ms", *common], self.fleet, texts=2)
        print_table(["goal", "figure", "at most", ""], self.goals)
        for note in self.notes:
            print("-", note)
