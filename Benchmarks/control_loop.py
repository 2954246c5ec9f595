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


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of docs/autoscaling.md, and the same simulated: pods that start at once, an HPA that looks each 5 s."""

    signal: str
    # After how many seconds, how many pods.
    measured: list[tuple[float, int]]
    measured_missed: int
    # Σ utilization, where the signal is Weir's.
    utilization: list[tuple[float, float]]
    simulated: list[tuple[float, int]]
    simulated_missed: float


def measured_steps() -> list[Step]:
    return [measured_step(step) for step in json.loads(MEASURED.read_text())["steps"]]


def measured_step(step: dict) -> Step:
    begin = 100.0
    signal = "weir" if step["signal"].startswith("weir") else "CPU"
    trace = traces.step(begin=begin, end=math.inf, seconds=begin + step["watched"])
    run = simulate(trace, signal, Plan(start=2.0, deadline=15.0), Loop(sync=5.0, phase=5.0, least=1, most=20))
    asked = [(at - begin, count) for at, count in run.asked if at >= begin]
    return Step(signal, step["asked"][1:], step["refused"], step["utilization"], asked, run.service.missed)


def measured_table() -> str:
    rows = ["| 12 to 120 a second | asked for, after seconds | not served |", "|---|---|---:|"]
    for step in measured_steps():
        name = NAMES[step.signal]
        rows.append(f"| {name}, measured | {changes(step.measured)} | {step.measured_missed:,} |")
        rows.append(f"| {name}, simulated | {changes(step.simulated)} | {step.simulated_missed:,.0f} |")
    return "\n".join(rows)


def changes(asked: list) -> str:
    return ", ".join(f"{count} ({at:.0f} s)" for at, count in asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="a document with this program's marks")
    parser.add_argument("--step", type=float, metavar="SECONDS", help="the simulator's own step, 0.1 s else")
    arguments = parser.parse_args()
    if arguments.write and arguments.step:
        parser.error("--write is with the usual step")
    if arguments.write:
        report.check_writable(arguments.write, "control_loop.py")
    scenarios = SCENARIOS
    if arguments.step:
        scenarios = [dataclasses.replace(one, loop=dataclasses.replace(one.loop, dt=arguments.step)) for one in SCENARIOS]
    runs = {scenario: scenario.runs() for scenario in scenarios}
    plotted = {scenario: one for scenario, one in runs.items() if scenario.plot}
    figures = [f"![Ready pods: {scenario.title}](control-loop-{scenario.plot}.svg)" for scenario in plotted]
    beside = "The step that was measured, beside the same simulated:"
    shown = "\n\n".join([table(runs), *figures, beside, measured_table()])
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
