"""The verdict of ./dev soak finds what grows, and nothing else. A short run shows that the rest of it works."""

import os
import pathlib
import random
import re
import subprocess
import sys

import pytest

from soak.trend import BARS, Trend, chart, settled

SOAK = pathlib.Path(__file__).parents[1] / "soak/soak.py"


def noise(amount, seed=1, count=60):
    rng = random.Random(seed)
    return [1000 + rng.uniform(-amount, amount) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_grow(seed):
    assert not Trend(noise(50, seed)).grows(0)


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_grows(seed):
    """As a line that is lost in the noise of each single reading, and as steps."""
    leak = [value + 2 * n for n, value in enumerate(noise(50, seed))]
    assert Trend(leak).grows(20) and not Trend(leak).grows(200)
    assert Trend([value + n // 10 * 20 for n, value in enumerate(noise(10, seed))]).grows(20)


def test_series_without_noise():
    assert not Trend([5.0] * 20).grows(0)
    assert Trend(list(range(20))).rise == pytest.approx(19)
    assert Trend(list(range(20))).grows(18) and not Trend(list(range(20))).grows(20)
    assert not Trend(list(range(20, 0, -1))).grows(0)


def test_what_fills_at_first_is_not_judged():
    values = [min(n, 12) for n in range(60)]
    assert Trend(values).grows(1) and not Trend(settled(values)).grows(1)


def test_charts():
    assert chart([0, 7]) == BARS[0] + BARS[7]
    assert chart([3, 3, 3]) == BARS[0] * 3
    assert chart(list(range(600)), width=8) == BARS
    assert chart([0] * 599 + [9], width=10)[-1] == BARS[7], "a peak is seen"


def test_a_short_soak():
    run = subprocess.run([sys.executable, "-B", SOAK, "0.04", "--interval=0.25", "--servers=2", "--seed=1"],
                         capture_output=True, text=True, timeout=120, check=False)
    last = run.stdout.splitlines()[-2:]
    assert re.match(r"[1-9]\d* scrapes in ", last[0]), run.stdout + run.stderr
    # So few seconds say nothing of trends.
    faults = [line for line in run.stdout.splitlines() if line.startswith("fault: ") and not line.endswith(" grows")]
    assert not faults, run.stdout
