# SPDX-License-Identifier: Apache-2.0
# What the steps came to, for docs/autoscaling.md: a table, and a plot beside it.

import dataclasses
import json
import os
import platform
import time
from html import escape

from plot import BOTTOM, COLOURS, GREY, HEIGHT, LEFT, RIGHT, TOP, WIDTH, line, text
from report import processor
from server import REPOSITORY
from step import BASE, ENOUGH, FACTOR

DOCUMENT = REPOSITORY / "docs/autoscaling.md"
MARKS = [f"<!-- Written by make test-cluster with CLUSTER_WRITE=1: {end} -->" for end in ("begin", "end")]
HEADINGS = ["the HPA is told", f"{ENOUGH} pods are ready after", "pods at the end", "turned away", "the last after"]


def seconds(value):
    return "not within the run" if value is None else f"{value:.0f} s"


def table(steps):
    rows = [HEADINGS, ["---"] * len(HEADINGS)]
    for step in steps:
        refused = f"{step.refused:,}"
        until = seconds(step.refused_until) if step.refused else "–"
        if step.refused_until > step.watched - 1:
            until = f"the end, {step.watched:.0f} s"
        rows.append([step.signal, seconds(step.until(ENOUGH)), str(step.ready[-1][1]), refused, until])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def chart(steps):
    """Ready pods over time, a line for each signal."""
    length = max(step.watched for step in steps)
    most = max(ENOUGH, *(ready for step in steps for _, ready in step.ready)) + 1

    def across(at):
        return LEFT + at / length * (WIDTH - LEFT - RIGHT)

    def down(pods):
        return HEIGHT - BOTTOM - pods / most * (HEIGHT - TOP - BOTTOM)

    title = f"Ready pods after {FACTOR} times the load"
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = [text(middle, 24, title, "middle", size=15), text(middle, HEIGHT - 12, "seconds after the step", "middle")]
    parts.append(text(16, (TOP + HEIGHT - BOTTOM) / 2, "pods", "middle", turned=True))
    for pods in range(0, most + 1, 2):
        parts.append(line([(LEFT, down(pods)), (WIDTH - RIGHT, down(pods))], GREY, 0.5))
        parts.append(text(LEFT - 8, down(pods) + 4, str(pods), "end"))
    for at in range(0, int(length) + 1, 30):
        parts.append(line([(across(at), down(0)), (across(at), down(0) + 5)], GREY, 1))
        parts.append(text(across(at), down(0) + 20, str(at), "middle"))
    parts.append(line([(LEFT, down(ENOUGH)), (WIDTH - RIGHT, down(ENOUGH))], GREY, 1.5))
    parts.append(text(WIDTH - RIGHT + 6, down(ENOUGH) - 8, "enough", "start"))
    for step, colour in zip(steps, COLOURS, strict=False):
        points, before = [], step.ready[0][1]
        for at, ready in step.ready:
            points += [(across(at), down(before)), (across(at), down(ready))]
            before = ready
        points.append((across(step.watched), down(before)))
        parts.append(line(points, colour, 2.5))
        parts.append(text(across(step.watched) + 6, down(before) + 12, step.signal, "start", colour=colour))
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


def write(folder, steps, in_documentation):
    """Beside the logs, and into the documentation where that is asked for."""
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
    shown = f"{table(steps)}\n\n![Ready pods after a step](step.svg)\n\n"
    shown += f"- Date: {time.strftime('%Y-%m-%d')}\n- Machine: {machine}\n"
    shown += "- Command: `CLUSTER_WRITE=1 make test-cluster`"
    figures = {"base": BASE, "factor": FACTOR, "enough": ENOUGH, "steps": [dataclasses.asdict(step) for step in steps]}
    for place in [folder, *([DOCUMENT.parent] if in_documentation else [])]:
        (place / "step.svg").write_text(chart(steps))
        (place / "step.json").write_text(json.dumps(figures) + "\n")
    if in_documentation:
        begin, end = MARKS
        before, _, rest = DOCUMENT.read_text().partition(begin)
        _, _, after = rest.partition(end)
        DOCUMENT.write_text(f"{before}{begin}\n\n{shown}\n\n{end}{after}")
    print(f"\n{shown}")
