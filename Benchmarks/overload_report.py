# SPDX-License-Identifier: Apache-2.0
"""What the drill found: as a table, as figures for programs, and as a plot."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import plot
import report
from report import NOTHING
HEADINGS = (
    "in front",
    "offered",
    "served in time",
    "share of capacity",
    "median",
    "p99",
    "not served, by status",
    "started too late",
    "memory",
    "ready",
)
# What nginx and k6 do not have a status for: no answer came.
NO_ANSWER = "0"
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Result:
    """One run. Times are those of the requests that were answered 200, in time or not."""

    gateway: str
    # Of the capacity, and in requests a second.
    offer: float
    rate: int
    sent: int
    # What the generator should have sent and did not.
    dropped: int
    served_in_time_per_second: float
    share_of_capacity: float
    median_milliseconds: float
    p99_milliseconds: float
    statuses: dict[str, int]
    # By the service, after the client's deadline.
    started_late: int
    memory_before: int
    memory_peak: int
    # Nothing where there is no probe to ask.
    ready: bool | None

    def shortfall(self) -> str:
        """What was sent, where that was less than offered."""
        if self.dropped == 0:
            return ""
        return f", {self.rate * self.sent / (self.sent + self.dropped):,.0f}/s sent"

    def cells(self) -> tuple[str, ...]:
        others = {status: count for status, count in self.statuses.items() if status != "200"}
        names = {NO_ANSWER: "no answer"}
        return (
            self.gateway,
            f"{self.offer:g} × ({self.rate:,}/s{self.shortfall()})",
            f"{self.served_in_time_per_second:,.0f}/s",
            f"{self.share_of_capacity:.1%}",
            f"{self.median_milliseconds:.0f} ms" if "200" in self.statuses else NOTHING,
            f"{self.p99_milliseconds:.0f} ms" if "200" in self.statuses else NOTHING,
            ", ".join(f"{names.get(status, status)}: {count:,}" for status, count in others.items()) or NOTHING,
            f"{self.started_late:,}",
            f"{self.memory_before / MEBIBYTE:.1f} → {self.memory_peak / MEBIBYTE:.1f} MiB",
            {True: "always", False: "NO", None: NOTHING}[self.ready],
        )


def table(results: list[Result]) -> str:
    return report.aligned([HEADINGS, *(result.cells() for result in results)])


def write(document: Path, results: list[Result], command: str, generator: str) -> None:
    """The table into `document`, the plot and the figures beside it. `generator` is the load's, with its version."""
    picture, figures = document.with_suffix(".svg"), document.with_suffix(".json")
    picture.write_text(chart(results))
    figures.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    text = "\n\n".join(
        [
            table(results),
            f"![Served in time, by what is offered]({picture.name})",
            report.circumstances(command, [generator]),
        ]
    )
    report.write(document, text, "drill.py")


def chart(results: list[Result]) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        lines.setdefault(result.gateway, []).append((result.offer, result.share_of_capacity))
    return plot.lines(
        "Served in time, by what is offered",
        plot.Axis("offered, in capacities of the service", sorted({result.offer for result in results}), "{:g} ×".format),
        plot.Axis("served in time, in capacities", (0.0, 0.25, 0.5, 0.75, 1.0), "{:.0%}".format),
        lines,
    )
