#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per request, and per operation of the hot path, counted by callgrind: the same on every run and on a
busy machine, so CI can judge them.

`--check` fails when a count has grown by more than 2 % over `instructions.json`, or when refusing a request takes more
than serving it; `--update "why"` writes the counts there that have moved by more than 1 %, each with the reason.
Build first: swift build -c release --static-swift-stdlib --scratch-path .build-static --product Replay
(and Micro).
"""

import argparse
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import micro
import replay
from expected import Expected, measured_products, parse_action
from replay import Count
from report import Row
from tools import BenchmarkError, Products, require, run

GROWTH_MAX = 0.02
# What moves by less keeps its bound, so that many small steps are one large one.
TOLERANCE = 0.01
ROUNDS_FEW = 100
ROUNDS_MANY = 600
OPERATIONS_FEW = 1_000
OPERATIONS_MANY = 21_000
# Swift's dictionaries have another order in each run otherwise, and the making of a table another length.
ENVIRONMENT = {"SWIFT_DETERMINISTIC_HASHING": "1"}
EXPECTED = Expected(Path(__file__).with_name("instructions.json"), TOLERANCE)


def per_request(case: replay.Case, products: Products) -> float:
    def count(rounds: int) -> Count:
        output, instructions = counted(case.command(products.replay, rounds))
        return Count(replay.requests(output), instructions)

    return each(count(ROUNDS_MANY) - count(ROUNDS_FEW))


def per_operation(case: micro.Case, products: Products) -> float:
    def count(operations: int) -> Count:
        output, instructions = counted(case.command(products.micro, operations))
        return Count(micro.operations(output), instructions)

    return each(count(OPERATIONS_MANY) - count(OPERATIONS_FEW))


def each(count: Count) -> float:
    return count.events / count.requests


def counted(command: list[str]) -> tuple[str, int]:
    """What the program printed, and its instructions. The environment's length would otherwise be part of them."""
    valgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    result = run(*valgrind, *command, environment=ENVIRONMENT)
    instructions = re.search(r"Collected : (\d+)", result.stderr)
    if not instructions:
        raise BenchmarkError(f"callgrind printed no count:\n{result.stderr}")
    return result.stdout, int(instructions[1])


def measure(products: Products) -> dict[str, float]:
    """All cases, as many at once as there are CPUs: counts are no times."""
    require("valgrind")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        requests = {case.name: threads.submit(per_request, case, products) for case in replay.CASES}
        operations = {case.name: threads.submit(per_operation, case, products) for case in micro.CASES}
        return {name: future.result() for name, future in (requests | operations).items()}


def growth(measured: float, before: int) -> float:
    return measured / before - 1


def rows(products: Products) -> list[Row]:
    before = EXPECTED.read()
    return [row(name, count, before.get(name)) for name, count in measure(products).items()]


def row(name: str, measured: float, before: int | None) -> Row:
    is_request = name in {case.name for case in replay.CASES}
    return Row(
        work=f"{name}: instructions per {'request, engine alone' if is_request else 'operation'}",
        measured=f"{measured:,.0f}",
        target=f"≤ {before * (1 + GROWTH_MAX):,.0f}" if before else "–",
        passed=growth(measured, before) <= GROWTH_MAX if before else None,
    )


def check(measured: dict[str, float]) -> None:
    before = EXPECTED.of(measured)
    for name, count in measured.items():
        print(f"{name}: {count:,.1f} instructions, {growth(count, before[name]):+.1%} over {before[name]:,}")
    grown = [name for name, count in measured.items() if growth(count, before[name]) > GROWTH_MAX]
    if grown:
        raise BenchmarkError(
            f"grown by more than {GROWTH_MAX:.0%}: {', '.join(grown)}. If that is what it must cost, "
            'run: python3 Benchmarks/instructions.py --update "why it must"'
        )
    if measured[replay.REFUSED.name] > measured[replay.LIMITED.name]:
        raise BenchmarkError("a request that a limit refuses takes more than one that it lets through")


def main() -> int:
    options = parse_action(argparse.ArgumentParser(description=__doc__))
    try:
        with measured_products(options.build_folder, "Replay", "Micro") as products:
            measured = measure(products)
        if options.update:
            EXPECTED.update({name: round(count) for name, count in measured.items()}, options.update)
        else:
            check(measured)
    except BenchmarkError as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
