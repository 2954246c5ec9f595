#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The drill with clients that give up, or stay, behind Weir: what becomes of those that are served in time when the
gateway is told their deadline, and when it is not.

As drill.py in all else. Ends with 2 when the generator did not keep up.
"""

import argparse
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import drill
import report
import servers
from bench import executable, positive, stop, two_cores
from drill import Clients
from tools import BUILD_FOLDER, BenchmarkError, Products, build, require

HEADINGS = (
    "clients", "offered", "in time, /s", "median, ms", "p99, ms", "503, /s", "504, /s", "given up, /s",
    "started too late",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    clients: Clients
    # By `WEIR_DEADLINE`; else that is a second.
    is_told: bool
    offer: int


CASES = (
    Case("1 s, told", Clients(1000), True, 10),
    Case("120 ms, told", Clients(120), True, 10),
    Case("150 ms, told, give up", Clients(150, gives_up=True), True, 10),
    *(Case("150 ms, untold, give up", Clients(150, gives_up=True), False, offer) for offer in (1, 3, 10)),
    Case("150 ms, untold, give up, three tries", Clients(150, gives_up=True, tries=3), False, 3),
)


@dataclass(frozen=True)
class Found:
    """What became of the requests of one run, per second where it is a count."""

    in_time: float
    median: float
    p99: float
    full: float
    late: float
    given_up: float
    started_late: int
    # What the generator should have begun and did not.
    dropped: int


def measure(case: Case, products: Products, seconds: int, core: int) -> Found:
    told = f"{case.clients.deadline_milliseconds}ms" if case.is_told else "1s"
    settings = {**drill.WEIR_SETTINGS, "WEIR_DEADLINE": told}
    with servers.weir(products, drill.DEMO_SETTINGS, core) as service:
        with drill.weir(products, service.port, core, settings).server as server:
            drill.load(server, drill.CAPACITY // 2, drill.WARM_UP_SECONDS)
            late_before = drill.counts(service)["startedLate"]
            found = drill.load(server, case.offer * drill.CAPACITY, seconds, case.clients)
            statuses = found["statuses"]
            return Found(
                in_time=found["served_in_time"] / seconds,
                median=found["served_milliseconds"]["median"],
                p99=found["served_milliseconds"]["p99"],
                full=statuses["503"] / seconds,
                late=statuses["504"] / seconds,
                given_up=statuses["0"] / seconds,
                started_late=drill.counts(service)["startedLate"] - late_before,
                dropped=found["dropped"],
            )


def cells(case: Case, rounds: list[Found]) -> tuple[str, ...]:
    columns = zip(*(list(vars(found).values())[:-1] for found in rounds), strict=True)
    figures = (", ".join(f"{value:,.0f}" for value in column) if any(column) else report.NOTHING for column in columns)
    return (case.name, f"{case.offer} ×", *figures)


def measure_all(options: argparse.Namespace) -> tuple[str, int]:
    """The table, and how many requests the generator did not begin."""
    require("setpriv", "nice", "strip", "taskset")
    drill.k6()
    core, _ = two_cores()
    with tempfile.TemporaryDirectory(prefix="weir-patience-") as folder:
        given = {name: file for name, file in (("hello", options.service), ("weir", options.gateway)) if file}
        built = build([name for name in ("hello", "weir") if name not in given], options.build_folder, Path(folder))
        products = Products(built | given, Path(folder))
        found: list[list[Found]] = [[] for _ in CASES]
        for number in range(options.rounds):
            for case, rounds in zip(CASES, found, strict=True):
                print(f"patience: {case.name}, {case.offer} ×, round {number + 1}", file=sys.stderr)
                rounds.append(measure(case, products, options.seconds, core))
    text = report.aligned([HEADINGS, *(cells(case, rounds) for case, rounds in zip(CASES, found, strict=True))])
    return text, sum(one.dropped for rounds in found for one in rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=2, help="how often each case is run (default: 2)")
    parser.add_argument("--seconds", type=positive, default=8, help="how long each run lasts (default: 8)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between this file's marks")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    parser.add_argument("--service", type=executable, metavar="FILE", help="instead of the built product `hello`")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        if options.write:
            report.check_writable(options.write, "patience.py")
        text, dropped = measure_all(options)
        print(text)
        if dropped:
            raise BenchmarkError(f"k6 did not begin {dropped} requests, so the offers were less than said")
    except BenchmarkError as error:
        print(f"patience: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("patience: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    if options.write:
        command = f"python3 Benchmarks/patience.py --rounds {options.rounds} --seconds {options.seconds}"
        report.write(options.write, f"{text}\n\n{report.circumstances(command)}", "patience.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
