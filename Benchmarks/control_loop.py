#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scaling on Weir's signal, on CPU and on requests per second, simulated for several loads: what it costs, and how many
requests miss their deadline or are slow. Pure Python, and the same on every run.

`--write docs/scaling.md` puts the tables there, and the plots beside it.
"""

import argparse
import dataclasses
import json
import math
from pathlib import Path

import report
from simulator import traces
from simulator.chart import chart
from simulator.hpa import KUBERNETES_DEFAULT
from simulator.loop import SIGNALS, Loop, Run, simulate
from simulator.service import Plan
from simulator.traces import Trace

NAMES = {"weir": "`weir_utilization_ratio`", "CPU": "CPU", "requests per second": "requests per second"}
# Four times what the service can do at once.
LOOSE = Plan(limit=16, queue=64)
MEASURED = Path(__file__).parents[1] / "docs/step.json"


@dataclasses.dataclass(frozen=True)
class Scenario:
    trace: Trace
    plan: Plan = Plan()
    loop: Loop = Loop()
    name: str = ""
    note: str = ""
    plot: str = ""

    @property
    def title(self) -> str:
        return self.name or self.trace.name

    def runs(self) -> dict[str, Run]:
        return {signal: simulate(self.trace, signal, self.plan, self.loop) for signal in SIGNALS}

    @property
    def needed(self) -> list[tuple[float, float]]:
        """Pods at the target, by what the load really is."""
        full = self.plan.capacity * self.loop.target
        times = [self.trace.seconds * part / 480 for part in range(481)]
        return [(at, max(self.loop.least, self.trace.rate(at) * self.trace.slowness(at) / full)) for at in times]


SCENARIOS = (
    Scenario(traces.step(), plot="step"),
    Scenario(traces.step(), loop=Loop(behavior=KUBERNETES_DEFAULT), name="step, the HPA's own behavior"),
    Scenario(traces.step(), plan=Plan(start=90), name="step, pods start in 90 s"),
    Scenario(traces.ramp()),
    Scenario(traces.daily()),
    Scenario(traces.spikes(), plot="spikes"),
    Scenario(traces.noise()),
    Scenario(traces.slow(), plot="slow"),
    Scenario(traces.step(), plan=LOOSE, name="step, `WEIR_CONCURRENCY` four times too large"),
)


def percent(part: float, whole: float) -> str:
    share = part / whole
    return "0" if share < 5e-6 else f"{share:.2%}" if share < 0.1 else f"{share:.1%}"


def table(scenarios: dict[Scenario, dict[str, Run]]) -> str:
    rows = [
        "| load | the HPA is told | pod-hours | missed deadlines | turned away | late | slow | most pods |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for scenario, runs in scenarios.items():
        for number, (signal, run) in enumerate(runs.items()):
            service = run.service
            cells = [
                "" if number else f"**{scenario.title}**: {scenario.trace.what}",
                NAMES[signal],
                f"{run.pod_seconds / 3600:.2f}",
                *(
                    percent(part, service.arrived)
                    for part in (service.missed, service.refused, service.late, service.slow)
                ),
                str(run.most),
            ]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def measured_step() -> str:
    """The step of docs/autoscaling.md, and the same simulated: pods that start at once, an HPA that looks each 5 s."""
    begin = 100.0
    plan = Plan(start=2.0, deadline=15.0)
    rows = ["| 12 to 120 a second | asked for, after seconds | turned away |", "|---|---|---:|"]
    for step in json.loads(MEASURED.read_text())["steps"]:
        signal = "weir" if step["signal"].startswith("weir") else "CPU"
        loop = Loop(sync=5.0, phase=5.0, least=1, most=20)
        run = simulate(traces.step(begin=begin, end=math.inf, seconds=begin + step["watched"]), signal, plan, loop)
        asked = [(at - begin, count) for at, count in run.asked if at >= begin]
        rows.append(f"| {NAMES[signal]}, measured | {changes(step['asked'][1:])} | {step['refused']:,} |")
        rows.append(f"| {NAMES[signal]}, simulated | {changes(asked)} | {run.service.refused:,.0f} |")
    return "\n".join(rows)


def changes(asked: list) -> str:
    return ", ".join(f"{count} ({at:.0f} s)" for at, count in asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="a document with this program's marks")
    arguments = parser.parse_args()
    if arguments.write:
        report.check_writable(arguments.write, "control_loop.py")
    runs = {scenario: scenario.runs() for scenario in SCENARIOS}
    plotted = {scenario: one for scenario, one in runs.items() if scenario.plot}
    figures = [f"![Ready pods: {scenario.title}](control-loop-{scenario.plot}.svg)" for scenario in plotted]
    shown = "\n\n".join([table(runs), *figures, "The step that was measured, beside the same simulated:", measured_step()])
    print(shown)
    if not arguments.write:
        return
    report.write(arguments.write, shown, "control_loop.py")
    for scenario, one in plotted.items():
        svg = chart(
            f"Ready pods: {scenario.title}",
            scenario.trace.seconds,
            scenario.needed,
            {signal: run.ready for signal, run in one.items()},
        )
        arguments.write.with_name(f"control-loop-{scenario.plot}.svg").write_text(svg)


if __name__ == "__main__":
    main()
