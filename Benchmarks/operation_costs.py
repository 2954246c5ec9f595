# SPDX-License-Identifier: Apache-2.0
"""What single operations of the hot path take among few and among many: instructions by callgrind, which no other load
on the machine changes, and CPU time, in which misses of the caches are, too."""

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import micro
import plot
from instructions import per_operation
from plot import Axis
from tools import Products, run

# The machine's other work makes a time longer and never shorter, so the shortest counts.
TIMES_TAKEN = 2


@dataclass(frozen=True)
class Operation:
    """Its name, and among how many which benchmark of `Micro` is it."""

    name: str
    benchmarks: Mapping[int, str]


@dataclass(frozen=True)
class Dimension:
    """What there is more of, and the operations that meet it. Times are compared with that among `few`."""

    what: str
    few: int
    operations: Sequence[Operation]

    @property
    def counts(self) -> Sequence[int]:
        return tuple(self.operations[0].benchmarks)


@dataclass(frozen=True)
class Cost:
    instructions: float
    nanoseconds: float


def routes() -> Operation:
    return Operation("route look-up", {count: f"routing-{count}" for count in (10, 100, 1_000, 10_000, 100_000)})


def endpoints(policy: str) -> Operation:
    return Operation(policy, {count: f"balancing-{policy}-{count}" for count in (1, 10, 100, 1_000, 4_096)})


def keys() -> Operation:
    names = {1 << bits: f"limiter-keyed-gcra-{1 << bits}" for bits in (4, 10, 17, 20, 24)}
    # The million has its own name: it is also timed on two threads.
    return Operation("keyed limit (GCRA)", names | {1 << 20: "limiter-keyed-gcra"})


POLICIES = ("least-latency", "round-robin", "maglev", "first")
DIMENSIONS = (
    Dimension("routes", 10, [routes()]),
    Dimension("endpoints", 10, [endpoints(policy) for policy in POLICIES]),
    Dimension("keys of a limit", 16, [keys()]),
)


def measure(products: Products) -> dict[str, Cost]:
    """By benchmark. Counts are no times: as many programs count at once as there are CPUs; only one is timed."""
    names = [
        name
        for dimension in DIMENSIONS
        for operation in dimension.operations
        for name in operation.benchmarks.values()
    ]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        counted = threads.map(lambda name: per_operation(micro.Case(name), products), names)
        instructions = dict(zip(names, counted, strict=True))
    taken = []
    for turn in range(1, TIMES_TAKEN + 1):
        print(f"operations are timed, {turn} of {TIMES_TAKEN}", file=sys.stderr)
        taken.append(micro.nanoseconds(run(products.micro, *names).stdout))
    return {name: Cost(instructions[name], min(times[name, 1] for times in taken)) for name in names}


def tables(costs: Mapping[str, Cost]) -> list[str]:
    return [table(dimension, costs) for dimension in DIMENSIONS]


def table(dimension: Dimension, costs: Mapping[str, Cost]) -> str:
    heading = [dimension.what, *(f"{count:,}" for count in dimension.counts)]
    rows = [heading, ["---", *("---:" for _ in dimension.counts)]]
    for operation in dimension.operations:
        found = {count: costs[name] for count, name in operation.benchmarks.items()}
        few = found[dimension.few].nanoseconds
        rows.append([f"{operation.name}: instructions", *(f"{cost.instructions:,.0f}" for cost in found.values())])
        times = (f"{cost.nanoseconds:.0f} ns, {cost.nanoseconds / few:.1f} ×" for cost in found.values())
        rows.append([f"{operation.name}: CPU time", *times])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def charts(costs: Mapping[str, Cost]) -> dict[str, str]:
    """By title."""
    return {
        "Instructions of one operation": chart("Instructions of one operation", "instructions", costs),
        "CPU time of one operation": chart("CPU time of one operation", "nanoseconds", costs),
    }


def chart(title: str, unit: str, costs: Mapping[str, Cost]) -> str:
    series = {
        operation.name: [(count, getattr(costs[name], unit)) for count, name in operation.benchmarks.items()]
        for dimension in DIMENSIONS
        for operation in dimension.operations
    }
    what = "routes, endpoints or keys"
    return plot.lines(title, decades(what, series), steps(unit, series), series, legend=True)


def decades(title: str, series: Mapping[str, plot.Points]) -> Axis:
    """From 1 to the power of ten that is not below any of the points."""
    most = max(x for points in series.values() for x, _ in points)
    return Axis(title, [10**power for power in range(len(str(int(most) - 1)) + 1)], short)


def steps(title: str, series: Mapping[str, plot.Points]) -> Axis:
    """From 0 in four to ten round steps, to at least the highest of the points."""
    most = max(y for points in series.values() for _, y in points)
    step = next(size * 10**power for power in range(9) for size in (1, 2, 5) if most / (size * 10**power) <= 9)
    return Axis(title, [step * number for number in range(-int(-most // step) + 1)], "{:,}".format)


def short(count: float) -> str:
    """10k for ten thousand, 10M for ten million."""
    return next(f"{count / size:g}{letter}" for size, letter in ((1e6, "M"), (1e3, "k"), (1, "")) if count >= size)
