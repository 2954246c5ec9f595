# SPDX-License-Identifier: Apache-2.0
"""A line chart as SVG: few points, a logarithmic x axis, a y axis from 0. Legible on light and dark pages."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 48, 56
# What a legend takes at the right.
LEGEND = 140
# Apart in hue and in lightness.
COLOURS = ("#1f77b4", "#d95f02", "#7570b3", "#666666", "#1b9e77", "#c51b7d")
GREY = "#888888"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """Its title, and where it says how much, in what `form`."""

    title: str
    ticks: Sequence[float]
    form: Callable[[float], str]


def lines(title: str, x_axis: Axis, y_axis: Axis, series: Mapping[str, Points], legend: bool = False) -> str:
    """One line for each of the `series`, named at its right end, or in a `legend` beside them all. The points of each
    rise in x, and lie within the axes, which end with their last ticks."""
    first, last, most = x_axis.ticks[0], x_axis.ticks[-1], y_axis.ticks[-1]
    right = LEGEND if legend else RIGHT

    def across(x: float) -> float:
        share = math.log(x / first) / math.log(last / first)
        return LEFT + share * (WIDTH - LEFT - right)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM)

    middle = (LEFT + WIDTH - right) / 2
    parts = [text(middle, 24, title, "middle", size=15), text(middle, HEIGHT - 12, x_axis.title, "middle")]
    parts.append(text(16, (TOP + HEIGHT - BOTTOM) / 2, y_axis.title, "middle", turned=True))
    for y in y_axis.ticks:
        parts.append(line([(LEFT, down(y)), (WIDTH - right, down(y))], GREY, 0.5))
        parts.append(text(LEFT - 8, down(y) + 4, y_axis.form(y), "end"))
    for x in x_axis.ticks:
        parts.append(line([(across(x), down(0)), (across(x), down(0) + 5)], GREY, 1))
        parts.append(text(across(x), down(0) + 20, x_axis.form(x), "middle"))
    colours = COLOURS[: len(series)]
    for number, ((name, points), colour) in enumerate(zip(series.items(), colours, strict=True)):
        placed = [(across(x), down(y)) for x, y in points]
        parts.append(line(placed, colour, 2.5))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
        x, y = (WIDTH - right + 8, TOP + 16 * number) if legend else (placed[-1][0] + 10, placed[-1][1] + 4)
        parts.append(text(x, y, name, "start", colour=colour))
    return drawing(title, parts)


def drawing(title: str, parts: Sequence[str]) -> str:
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
