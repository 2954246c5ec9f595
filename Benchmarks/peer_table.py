# SPDX-License-Identifier: Apache-2.0
"""The table of `make bench-peers`, on the terminal and in the documentation."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import report
from peer_servers import PEERS, WEIR
from peer_works import Row

HEADINGS = ("work", WEIR, *PEERS)


def cells(row: Row) -> tuple[str, ...]:
    return (row.work, own(row), *(cell(row, name) for name in PEERS))


def own(row: Row) -> str:
    return row.words[WEIR] if WEIR in row.words else in_unit(row.figures[WEIR], row.unit)


def cell(row: Row, name: str) -> str:
    """`0.91 (0.90–0.93)`: what Weir takes of what the peer takes. Without Weir, the peer's own figure."""
    if name in row.words:
        return row.words[name]
    if WEIR in row.words:
        return in_unit(row.figures[name], row.unit)
    found = ratios(row, name)
    spread = f" ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else ""
    return f"{statistics.median(found):.2f}{spread}"


def in_unit(figures: Sequence[float], unit: str) -> str:
    figure = statistics.median(figures)
    return f"{figure:,.0f} {unit}" if figure >= 100 else f"{figure:.2f} {unit}"


def ratios(row: Row, name: str) -> list[float]:
    return [ours / theirs for ours, theirs in zip(row.figures[WEIR], row.figures[name], strict=True)]


def ahead(rows: Sequence[Row]) -> list[str]:
    """Where a peer took less than Weir in every round."""
    found = []
    for row in rows:
        if WEIR not in row.figures:
            continue
        names = [name for name in PEERS if name in row.figures and min(ratios(row, name)) > 1]
        if names:
            found.append(f"{row.work} ({', '.join(names)})")
    return found


def table(rows: Sequence[Row]) -> str:
    return report.aligned([HEADINGS, *(cells(row) for row in rows)])


def notes(rows: Sequence[Row], missing: Mapping[str, str], problems: Sequence[str]) -> str:
    """What a reader must know beside the ratios: who is ahead, who is not here, what went wrong."""
    behind = ahead(rows)
    lines = [f"- A peer took less than Weir in every round: {'; '.join(behind) if behind else 'nowhere'}."]
    lines += [f"- Not here: {name}: {one_line(reason)}" for name, reason in missing.items()]
    lines += [f"- Failed: {one_line(problem)}" for problem in problems]
    return "\n".join(lines)


def one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def text(rows: Sequence[Row], missing: Mapping[str, str], problems: Sequence[str]) -> str:
    return f"{table(rows)}\n\n{notes(rows, missing, problems)}"


def write(document: Path, whole: str, rows: Sequence[Row], circumstances: str) -> None:
    """The table into `document`, and every figure of every round beside it."""
    document.with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    report.write(document, f"{whole}\n\n{circumstances}", "peers.py")
