"""Curves as one SVG file, without a library: log x, linear y from zero, a legend; readable in light and dark."""

import html
import math

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 36, 44
COLOURS = ("#3567b8", "#c2571a", "#2e8540", "#8a4fa3")


def step_of(most):
    """A round distance between at most six lines."""
    if most <= 0:
        return 1
    power = 10 ** math.floor(math.log10(most / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if most / (power * factor) <= 5)


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def text(x, y, what, anchor="middle", size=12, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">{html.escape(what)}</text>'


def draw(title, x_name, y_name, curves):
    """
    `curves` is {name: [(x, y), ...]}, with x above zero and rising. Returns the text of the file. The x of all points
    are ticks.
    """
    xs = sorted({x for points in curves.values() for x, _ in points})
    most = max(y for points in curves.values() for _, y in points) or 1
    step = step_of(most)
    top = step * math.ceil(most / step)
    low, high = math.log(xs[0]), math.log(xs[-1])

    def at(x, y):
        across = (math.log(x) - low) / (high - low) if high > low else 0.5
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           f'font-family="sans-serif" role="img" aria-label="{html.escape(title)}">',
           "<style>text{fill:#333}.grid{stroke:#ccc}@media(prefers-color-scheme:dark)"
           "{svg{background:#1b1b1b}text{fill:#ddd}.grid{stroke:#444}}</style>",
           text(LEFT, 20, title, "start", 14, "bold"), text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, x_name),
           f'<g transform="rotate(-90 14 {HEIGHT / 2})">{text(14, HEIGHT / 2, y_name)}</g>']
    for line in range(round(top / step) + 1):
        _, y = at(xs[0], line * step)
        out += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
                text(LEFT - 6, y + 4, number(line * step), "end", 11)]
    out += [text(at(x, 0)[0], HEIGHT - BOTTOM + 16, number(x), size=11) for x in xs]
    for n, (name, points) in enumerate(curves.items()):
        colour = COLOURS[n % len(COLOURS)]
        places = [at(x, y) for x, y in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out += [f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/>']
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 8 + 20 * n
        out += [f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="12" height="4" fill="{colour}"/>',
                text(WIDTH - RIGHT + 32, y, name, "start")]
    return "\n".join([*out, "</svg>", ""])
