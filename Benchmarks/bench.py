#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Weir beside nginx and HAProxy, and against its own limits, and prints one table.

Ends with 1 when a target is missed, with 2 when something could not be measured. It needs two cores and a machine that
does nothing else meanwhile; `--quick` only shows that everything works.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import access_log
import allocations
import bodies
import comparison
import decisions
import flow
import footprint
import handshakes
import instructions
import proxy
import replay
import report
from comparison import Comparison
from load import Plan
from report import Row
from tools import BUILD_FOLDER, PACKAGES, BenchmarkError, Products, build, require


@dataclass(frozen=True)
class Measure:
    rows: Callable[[Products, Plan], list[Row]]
    # The products that must be built for it.
    needs: tuple[str, ...]


def beside_nginx(which: Comparison) -> Measure:
    return Measure(lambda products, plan: [comparison.compare(which, products, plan)], ("hello",))


def count_allocations(products: Products, plan: Plan) -> list[Row]:
    routes = ("/hello", "/async")
    engine = [allocations.in_engine(case, products) for case in (replay.HELLO, replay.ASYNC, replay.PRIORITY)]
    service = [allocations.in_service(route, products, plan) for route in routes]
    return engine + service


def one_gibibyte(products: Products, plan: Plan) -> list[Row]:
    return [row for way in (bodies.DOWN, bodies.UP) for row in bodies.compare(way, products, plan)]


# What `--only` knows, in the order of the table.
MEASURES: dict[str, Measure] = {
    "hello": beside_nginx(comparison.HELLO),
    "pipelined": beside_nginx(comparison.PIPELINED),
    "async": beside_nginx(comparison.ASYNC),
    "blocking": beside_nginx(comparison.BLOCKING),
    "flow": Measure(lambda products, plan: [flow.compare(products, plan)], ("hello",)),
    "refused": Measure(flow.compare_refused, ("hello",)),
    "decisions": Measure(lambda products, _: decisions.rows(products), ("Micro",)),
    "access-log": Measure(lambda products, plan: [access_log.of_service(products, plan)], ("hello",)),
    "handshakes": Measure(handshakes.compare, ("hello",)),
    "proxy": Measure(proxy.compare, ("weir",)),
    "proxy-guarded": Measure(proxy.compare_guarded, ("weir",)),
    "proxy-access-log": Measure(lambda products, plan: [access_log.of_gateway(products, plan)], ("weir",)),
    "proxy-allocations": Measure(allocations.in_gateway, ("weir",)),
    "proxy-bodies": Measure(one_gibibyte, ("weir",)),
    "allocations": Measure(count_allocations, ("hello", "Replay")),
    "instructions": Measure(lambda products, _: instructions.rows(products), ("Replay", "Micro")),
    "memory": Measure(lambda products, _: [footprint.memory_per_connection(products)], ("hello",)),
    "size": Measure(lambda products, _: [footprint.binary_size(products)], ("hello",)),
    "start": Measure(lambda products, _: [footprint.start_time(products)], ("hello",)),
}


def measure(names: list[str], products: Products, plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        print(f"bench: {name}", file=sys.stderr)
        rows += MEASURES[name].rows(products, plan)
    return rows


def prepare(options: argparse.Namespace, folder: Path) -> Products:
    """Builds what is asked for, and no more."""
    given = {"weir": options.gateway} if options.gateway else {}
    needed = dict.fromkeys(name for measure in options.only for name in MEASURES[measure].needs)
    built = build([name for name in needed if name not in given], options.build_folder, folder)
    return Products(built | given, folder)


def two_cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for the load")
    return cores[0], cores[1]


def bench(options: argparse.Namespace) -> bool:
    """Whether every target was met."""
    require(*PACKAGES)
    if options.write:
        report.check_writable(options.write)
    server_core, load_core = two_cores()
    plan = Plan(options.rounds, options.seconds, server_core, load_core)
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        rows = measure(options.only, prepare(options, Path(folder)), plan)
    table = report.table(rows)
    print(table)
    if options.write:
        command = shlex.join(["python3", "Benchmarks/bench.py", *sys.argv[1:]])
        report.write(options.write, f"{table}\n\n{report.circumstances(command)}")
    return all(row.passed is not False for row in rows)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def executable(text: str) -> Path:
    path = Path(text).resolve()
    if not os.access(path, os.X_OK):
        raise ValueError
    return path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=5, help="rounds of Weir and its peers (default: 5)")
    parser.add_argument(
        "--seconds", type=positive, default=5, help="length of a round for each, in turns of 1 s (default: 5)"
    )
    parser.add_argument("--quick", action="store_true", help="1 round of 1 second")
    parser.add_argument("--only", nargs="+", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file, between its marks")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write takes the whole table, not --only")
    if options.quick:
        options.rounds = options.seconds = 1
    options.only = options.only or list(MEASURES)
    return options


def stop(number: int, _: object) -> NoReturn:
    """As an exception, so that every `with` block ends its processes."""
    sys.exit(128 + number)


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    try:
        return 0 if bench(options) else 1
    except BenchmarkError as error:
        print(f"bench: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 2


if __name__ == "__main__":
    sys.exit(main())
