# SPDX-License-Identifier: Apache-2.0
"""The table of results, on the terminal and in the documentation."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from tools import BenchmarkError, first_line

HEADINGS = ("work", "measured", "target", "spread", "Weir", "peer", "verdict")
NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """One line of the table. `passed` is nothing where there is no target."""

    work: str
    measured: str
    target: str = NOTHING
    spread: str = NOTHING
    weir: str = NOTHING
    peer: str = NOTHING
    passed: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = {True: "pass", False: "FAIL", None: NOTHING}[self.passed]
        return (*astuple(self)[:-1], verdict)


def table(rows: list[Row]) -> str:
    return aligned([HEADINGS, *(row.cells() for row in rows)])


def aligned(lines: list[tuple[str, ...]]) -> str:
    """A table of Markdown that reads well as text; its first line is the heading."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    heading, *others = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([heading, rule, *others])


def circumstances(command: str, others: Sequence[str] = ()) -> str:
    """The machine, the programs and the command: what a reader needs to judge the figures or to make them again."""
    return "\n".join([when_and_where(), f"- Versions: {'; '.join([*versions(), *others])}", f"- Command: `{command}`"])


def when_and_where() -> str:
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
    return f"- Date: {time.strftime('%Y-%m-%d')}\n- Machine: {machine}"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def versions() -> list[str]:
    return [
        first_line("swift", "--version"),
        first_line("nginx", "-v").removeprefix("nginx version: "),
        "HAProxy " + first_line("haproxy", "-v").removeprefix("HAProxy version ").partition(" ")[0],
        first_line("wrk", "-v").partition(" [")[0],
        first_line("curl", "--version").partition(" (")[0],
        first_line("valgrind", "--version"),
    ]


def marks(program: str) -> tuple[str, str]:
    """What stands before and behind the text that `program` writes into a document."""
    frame = f"<!-- Written by Benchmarks/{program} --write: {{}} -->"
    return frame.format("begin"), frame.format("end")


def check_writable(document: Path, program: str = "bench.py") -> None:
    """So that a wrong path is found before the minutes of measuring."""
    begin, end = marks(program)
    text = document.read_text() if document.is_file() else ""
    if text.count(begin) != 1 or text.count(end) != 1:
        raise BenchmarkError(f"{document} must be a file with the lines\n{begin}\n{end}")


def write(document: Path, text: str, program: str = "bench.py") -> None:
    """Replaces what stands between the two marks."""
    begin, end = marks(program)
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
