"""Draws the measured file as an SVG: a panel per scenario, a bar per server, with the spread of its rounds."""

from html import escape

from .report import figures, key_of, newest, shown
from .scenarios import CEILINGS, SCENARIOS

COLUMNS, PANEL, GAP = 2, 430, 30
NAME, ROW, HEAD, VALUE = 150, 20, 40, 80
OURS, OTHERS, CEILING, INK, QUIET = "#c2410c", "#64748b", "#cbd5e1", "#0f172a", "#475569"


def text(x, y, words, size=12, colour=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def colour_of(server):
    if server in CEILINGS:
        return CEILING
    return OURS if server.startswith("engineio ") or server == "engineio" else OTHERS


def bar(x, y, server, name, value, results, scale):
    """A server's name, bar, spread and figure."""
    length = max(value * scale, 1)
    values = [result[key_of(name)] / (1024 if SCENARIOS[name].is_idle else 1) for result in results]
    low, high = x + NAME + min(values) * scale, x + NAME + max(values) * scale
    middle = y + ROW / 2 - 2
    weight = "bold" if colour_of(server) == OURS else "normal"
    return [
        text(x + NAME - 8, y + 12, server, anchor="end", weight=weight),
        f'<rect x="{x + NAME}" y="{y}" width="{length:.1f}" height="{ROW - 4}" fill="{colour_of(server)}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{INK}" stroke-width="1.5"/>',
        text(max(x + NAME + length, high) + 6, y + 12, shown(name, value), colour=QUIET),
    ]


def panel(measured, name, x, y):
    scenario, medians = SCENARIOS[name], figures(measured, name)
    entry = measured["scenarios"][name]
    unit = "KiB per session; less is better" if scenario.is_idle else f"{scenario.what} per second of the server's CPU"
    lines = [text(x, y + 12, scenario.title, weight="bold"), text(x, y + 28, unit, 11, QUIET)]
    highest = max([*medians.values(), 1e-9])
    scale = (PANEL - NAME - VALUE) / highest
    order = sorted(medians, key=medians.get, reverse=not scenario.is_idle)
    for at, server in enumerate(order):
        lines += bar(x, y + HEAD + at * ROW, server, name, medians[server], entry["servers"][server], scale)
    return lines


def svg(measured):
    """The whole picture."""
    names = [name for name, scenario in SCENARIOS.items() if name in measured["scenarios"] and name != "workers"]
    lines, y = [], GAP + 30
    for first in range(0, len(names), COLUMNS):
        line = names[first:first + COLUMNS]
        for column, name in enumerate(line):
            lines += panel(measured, name, GAP + column * (PANEL + GAP), y)
        y += HEAD + max(len(measured["scenarios"][name]["servers"]) for name in line) * ROW + GAP
    width = GAP + COLUMNS * (PANEL + GAP)
    dates = sorted(entry["date"][:10] for entry in measured["scenarios"].values())
    title = f"{dates[0]}, {newest(measured)['machine']}; bars: medians, lines: lowest to highest round; light: ceilings without Engine.IO"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="sans-serif">',
        f'<rect width="{width}" height="{y}" fill="white"/>', text(GAP, GAP + 6, title, 11, QUIET), *lines, "</svg>", ""])
