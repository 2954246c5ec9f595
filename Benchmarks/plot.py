# SPDX-License-Identifier: Apache-2.0
"""A line chart as SVG: few points, a logarithmic x axis, a y axis from 0 to 1. Legible on light and dark pages."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 48, 56
# Apart in hue and in lightness.
COLOURS = ("#1f77b4", "#d95f02", "#7570b3", "#666666")
GREY = "#888888"
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)

Points = Sequence[tuple[float, float]]


def lines(title: str, x_title: str, y_title: str, series: Mapping[str, Points]) -> str:
    """One line for each of the `series`, named at its right end. The points of each rise in x."""
    xs = sorted({x for points in series.values() for x, _ in points})

    def across(x: float) -> float:
        share = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = [text(middle, 24, title, "middle", size=15), text(middle, HEIGHT - 12, x_title, "middle")]
    parts.append(text(16, (TOP + HEIGHT - BOTTOM) / 2, y_title, "middle", turned=True))
    for y in TICKS:
        parts.append(line([(LEFT, down(y)), (WIDTH - RIGHT, down(y))], GREY, 0.5))
        parts.append(text(LEFT - 8, down(y) + 4, f"{y:.0%}", "end"))
    for x in xs:
        parts.append(line([(across(x), down(0)), (across(x), down(0) + 5)], GREY, 1))
        parts.append(text(across(x), down(0) + 20, f"{x:g} ×", "middle"))
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        placed = [(across(x), down(y)) for x, y in points]
        parts.append(line(placed, colour, 2.5))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
        parts.append(text(placed[-1][0] + 10, placed[-1][1] + 4, name, "start", colour=colour))
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


def line(points: Points, colour: str, width: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def text(
    x: float, y: float, words: str, anchor: str, *, size: int = 12, colour: str = GREY, turned: bool = False
) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{turn}'
    return f"<text {place}>{escape(words)}</text>"
