# SPDX-License-Identifier: Apache-2.0
"""Ready pods over time as SVG, a line for each signal, beside what the load needs."""

from collections.abc import Mapping, Sequence

from plot import BOTTOM, COLOURS, GREY, HEIGHT, LEFT, LEGEND, TOP, WIDTH, drawing, line, text


def chart(title: str, seconds: float, needed: Sequence[tuple[float, float]], ready: Mapping[str, Sequence]) -> str:
    most = max(pods for series in (needed, *ready.values()) for _, pods in series) * 1.1

    def across(at: float) -> float:
        return LEFT + at / seconds * (WIDTH - LEFT - LEGEND)

    def down(pods: float) -> float:
        return HEIGHT - BOTTOM - pods / most * (HEIGHT - TOP - BOTTOM)

    middle = (LEFT + WIDTH - LEGEND) / 2
    parts = [text(middle, 24, title, "middle", size=15), text(middle, HEIGHT - 12, "minutes", "middle")]
    parts.append(text(16, (TOP + HEIGHT - BOTTOM) / 2, "ready pods", "middle", turned=True))
    every = max(1, round(most / 6))
    for pods in range(0, int(most) + 1, every):
        parts.append(line([(LEFT, down(pods)), (WIDTH - LEGEND, down(pods))], GREY, 0.5))
        parts.append(text(LEFT - 8, down(pods) + 4, str(pods), "end"))
    apart = max(1, round(seconds / 60 / 8))
    for minutes in range(0, int(seconds / 60) + 1, apart):
        parts.append(line([(across(minutes * 60), down(0)), (across(minutes * 60), down(0) + 5)], GREY, 1))
        parts.append(text(across(minutes * 60), down(0) + 20, str(minutes), "middle"))
    parts.append(line([(across(at), down(pods)) for at, pods in needed], GREY, 1.5))
    names = [("needed", GREY), *zip(ready, COLOURS, strict=False)]
    for number, (name, colour) in enumerate(names):
        parts.append(text(WIDTH - LEGEND + 8, TOP + 16 * number, name, "start", colour=colour))
    for (_, series), colour in zip(ready.items(), COLOURS, strict=False):
        points, before = [], series[0][1]
        for at, pods in series:
            points += [(across(at), down(before)), (across(at), down(pods))]
            before = pods
        parts.append(line([*points, (across(seconds), down(before))], colour, 2))
    return drawing(title, parts)
