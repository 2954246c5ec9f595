#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per request, counted by callgrind: the same on every run and on a busy machine, so CI can judge them.

`--check` fails when a count has grown by more than 2 % over `instructions.json`; `--update` writes the counts there.
Build first: swift build -c release --static-swift-stdlib --scratch-path .build-static --product Replay
"""

import argparse
import json
import platform
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import replay
from replay import Count
from report import Row
from tools import BUILD_FOLDER, BenchmarkError, Products, require, run, strip

EXPECTED = Path(__file__).with_name("instructions.json")
GROWTH_MAX = 0.02
ROUNDS_FEW = 100
ROUNDS_MANY = 600


@dataclass(frozen=True)
class Case:
    name: str
    route: str
    depth: int
    options: tuple[str, ...] = ()


CASES = (
    Case("/hello", "/hello", 1),
    Case("/hello, 16 pipelined", "/hello", 16),
    Case("/hello, 16 pipelined, no head like the one before", "/hello,/hello?", 16),
    Case("/hello, 16 pipelined, access log", "/hello", 16, ("access-log",)),
    Case("/async", "/async", 1),
)


def per_request(case: Case, binary: Path) -> float:
    few, many = (collected(case, rounds, binary) for rounds in (ROUNDS_FEW, ROUNDS_MANY))
    more = many - few
    return more.events / more.requests


def collected(case: Case, rounds: int, binary: Path) -> Count:
    """In an empty environment, whose length would otherwise be part of the count."""
    command = replay.command(binary, case.route, case.depth, rounds, case.options)
    valgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    result = run(*valgrind, *command, environment={})
    instructions = re.search(r"Collected : (\d+)", result.stderr)
    if not instructions:
        raise BenchmarkError(f"callgrind printed no count:\n{result.stderr}")
    return Count(replay.requests(result.stdout), int(instructions[1]))


def expected() -> dict[str, int]:
    """By case, for this machine's kind of processor."""
    counts: dict[str, dict[str, int]] = json.loads(EXPECTED.read_text())
    return counts.get(platform.machine(), {})


def growth(measured: float, before: int) -> float:
    return measured / before - 1


def rows(products: Products) -> list[Row]:
    return [row(case, per_request(case, products.replay), expected().get(case.name)) for case in CASES]


def row(case: Case, measured: float, before: int | None) -> Row:
    return Row(
        work=f"{case.name}: instructions per request, engine alone",
        measured=f"{measured:,.0f}",
        target=f"≤ {before * (1 + GROWTH_MAX):,.0f}" if before else "–",
        passed=growth(measured, before) <= GROWTH_MAX if before else None,
    )


def check(measured: dict[str, float]) -> None:
    before = expected()
    if before.keys() != measured.keys():
        raise BenchmarkError(f"{EXPECTED.name} does not have the counts of {platform.machine()}: run with --update")
    grown = [name for name, count in measured.items() if growth(count, before[name]) > GROWTH_MAX]
    for name, count in measured.items():
        print(f"{name}: {count:,.1f} instructions, {growth(count, before[name]):+.1%} over {before[name]:,}")
    if grown:
        raise BenchmarkError(
            f"grown by more than {GROWTH_MAX:.0%}: {', '.join(grown)}. If that is what it must cost, "
            "say why in the commit and run: python3 Benchmarks/instructions.py --update"
        )


def update(measured: dict[str, float]) -> None:
    counts = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    counts[platform.machine()] = {name: round(count) for name, count in measured.items()}
    EXPECTED.write_text(json.dumps(counts, indent=4, sort_keys=True) + "\n")
    print(EXPECTED.read_text(), end="")


def measure(build_folder: Path) -> dict[str, float]:
    require("strip", "valgrind")
    binary = build_folder / "release/Replay"
    if not binary.exists():
        raise BenchmarkError(f"{binary} is not there: build it first (see --help)")
    with tempfile.TemporaryDirectory(prefix="weir-instructions-") as folder:
        stripped = strip("--strip-debug", binary, Path(folder))
        return {case.name: per_request(case, stripped) for case in CASES}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare with the file")
    action.add_argument("--update", action="store_true", help="write the file")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        measured = measure(options.build_folder)
        if options.update:
            update(measured)
        else:
            check(measured)
    except BenchmarkError as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
