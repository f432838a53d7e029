"""Whether a series of readings grows: a line is fitted, and must rise by more than chance and more than is allowed."""

import math
import statistics

BARS = "▁▂▃▄▅▆▇█"

# The rise must be so many times its standard error. By chance, that happens once in some 30,000 series.
CERTAIN = 4.0
FEWEST = 8


class Trend:
    """A line through `values`, read at equal distances. `rise`: how much higher the line ends than it begins.
    `certainty`: the rise in standard errors."""

    def __init__(self, values):
        count = len(values)
        middle, mean = (count - 1) / 2, statistics.fmean(values)
        spread = sum((n - middle) ** 2 for n in range(count))
        slope = sum((n - middle) * (value - mean) for n, value in enumerate(values)) / spread
        rest = sum((value - mean - slope * (n - middle)) ** 2 for n, value in enumerate(values))
        error = math.sqrt(rest / (count - 2) / spread)
        self.rise = slope * (count - 1)
        self.certainty = slope / error if error else math.copysign(math.inf, slope) if slope else 0.0

    def grows(self, allowed):
        return self.rise > allowed and self.certainty > CERTAIN


def settled(values):
    """Without the first quarter, in which caches and pools fill."""
    return values[len(values) // 4:]


def chart(values, width=60):
    """One line of bars. When there are more readings than columns, each column shows the highest of its readings."""
    if len(values) > width:
        bounds = [n * len(values) // width for n in range(width + 1)]
        values = [max(values[begin:end]) for begin, end in zip(bounds, bounds[1:])]
    low, high = min(values), max(values)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0
    return "".join(BARS[round((value - low) * scale)] for value in values)
