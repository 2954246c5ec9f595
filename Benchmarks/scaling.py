#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How cost grows with routes, endpoints, keys, loops and connections: instructions and CPU time of single operations,
resident memory of the gateway, and CPU time of a request by loops.

`--write docs/scaling.md` puts the tables there, and the plots beside it. Build first: swift build -c release
--static-swift-stdlib --scratch-path .build-static --product Micro (weir and hello, too); `--products FOLDER` takes them
from elsewhere. It takes about ten minutes and wants two cores.
"""

import argparse
import contextlib
import os
import re
import resource
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import operation_costs
import plot
import report
import servers
import turns
from bench import two_cores
from instructions import ENVIRONMENT
from load import Plan
from tools import STRIPPING, BenchmarkError, Products, require, strip

ROUTES = (10, 100, 1_000, 10_000)
ENDPOINTS = (1, 10, 100, 1_000, 10_000)
UPSTREAM_ENDPOINTS = 250
KEYS = (10, 1_000, 100_000, 1_000_000, 10_000_000)
LOOPS = (1, 2, 4, 16, 64)
CONNECTIONS = (0, 1_000, 4_000, 8_000)
BYTES_A_KEY = 16
START_SECONDS_MAX = 120.0
SAMPLE_SECONDS = 0.05
NOBODY = "http://127.0.0.1:9"
# What serves with so many loops on one core, while wrk loads it from the other.
LOOPS_LOADED = (1, 2, 4)
LOAD_ROUNDS, LOAD_SECONDS = 9, 1


class Gateway:
    """The gateway in a process of its own, with these settings."""

    def __init__(self, program: Path, folder: Path, **settings: str):
        log = folder / "log"
        own = {"WEIR_LISTEN": "127.0.0.1:0", "WEIR_ADMIN_LISTEN": "off", "WEIR_LOOPS": "1", "WEIR_DRAIN_DELAY": "0"}
        environment = {"PATH": os.environ["PATH"], **ENVIRONMENT, **own, **settings}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", program], env=environment, stderr=errors)
        end = time.monotonic() + START_SECONDS_MAX
        while not (found := re.search(r'"listen":"127\.0\.0\.1:(\d+)', log.read_text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise BenchmarkError(f"the gateway does not serve: {log.read_text()}")
            time.sleep(SAMPLE_SECONDS)
        self.port = int(found[1])

    @property
    def kibibytes(self) -> int:
        """Without pages of files: how many of the program's own are mapped is chance, by a tenth of them."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)[1])

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def gateway(program: Path, **settings: str) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory() as folder:
        one = Gateway(program, Path(folder), **settings)
        try:
            yield one
        finally:
            one.close()


def with_file(program: Path, text: str) -> tuple[int, float]:
    """Resident KiB, and CPU seconds until it served."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        with gateway(program, WEIR_CONFIG=file.name) as one:
            return one.kibibytes, one.cpu_seconds


def routes(program: Path, count: int) -> tuple[int, float]:
    lines = [f"- {{match: {{path: /s{number % 97}/r{number}/:id}}, upstream: one}}" for number in range(count)]
    return with_file(program, f"upstreams: {{one: {{endpoints: ['{NOBODY}']}}}}\nroutes:\n" + "\n".join(lines) + "\n")


def endpoints(program: Path, count: int) -> tuple[int, float]:
    """In as many upstreams as it takes: a file may give one of them 256."""
    urls = [f"'http://127.{number >> 16}.{number >> 8 & 255}.{number & 255}:9'" for number in range(1, count + 1)]
    parts = [urls[start : start + UPSTREAM_ENDPOINTS] for start in range(0, count, UPSTREAM_ENDPOINTS)]
    upstreams = [f"  u{number}: {{endpoints: [{', '.join(part)}]}}" for number, part in enumerate(parts)]
    lines = [f"- {{match: {{path: /u{number}}}, upstream: u{number}}}" for number in range(len(parts))]
    return with_file(program, "\n".join(["upstreams:", *upstreams, "routes:", *lines, ""]))


def keys(program: Path, count: int) -> tuple[int, float]:
    size = f"{max(4, count * BYTES_A_KEY // 1024)}KiB"
    limit = {"WEIR_RATE_LIMIT": "1/h;burst=1;by=client", "WEIR_RATE_LIMIT_TABLE": size}
    with gateway(program, WEIR_UPSTREAM=NOBODY, **limit) as one:
        return one.kibibytes, one.cpu_seconds


def loops(program: Path, count: int) -> tuple[int, float]:
    with gateway(program, WEIR_UPSTREAM=NOBODY, WEIR_LOOPS=str(count)) as one:
        return one.kibibytes, one.cpu_seconds


def connections(program: Path, count: int) -> tuple[int, float]:
    with gateway(program, WEIR_UPSTREAM=NOBODY, WEIR_CONNECTIONS="20000") as one, contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", one.port)))
            # Answered by the gateway itself: there is no such path, or nobody behind it.
            client.sendall(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
            if not client.recv(4096):
                raise BenchmarkError("a connection was closed")
        return one.kibibytes, one.cpu_seconds


# How many, resident KiB, CPU seconds until it served.
Growth = Sequence[tuple[int, int, float]]

MEASURES: Mapping[str, tuple[Sequence[int], Callable[[Path, int], tuple[int, float]]]] = {
    "routes": (ROUTES, routes),
    "endpoints": (ENDPOINTS, endpoints),
    "keys of a limit": (KEYS, keys),
    "loops": (LOOPS, loops),
    "idle connections": (CONNECTIONS, connections),
}


def growth(program: Path, counts: Sequence[int], take: Callable[[Path, int], tuple[int, float]]) -> Growth:
    return [(count, *take(program, count)) for count in counts]


def table(what: str, found: Growth) -> str:
    rows = [f"| {what} | resident | each of those that are more | CPU |", "|---:|---:|---:|---:|"]
    few, resident_of_few, _ = found[0]
    for count, kibibytes, seconds in found:
        more = count - few
        each = f"{(kibibytes - resident_of_few) * 1024 / more:,.0f} B" if more else ""
        rows.append(f"| {count:,} | {kibibytes / 1024:.1f} MiB | {each} | {seconds:.2f} s |")
    return "\n".join(rows)


def memory_chart(title: str, found: Mapping[str, Growth]) -> str:
    series = {
        what: [(count, kibibytes / 1024) for count, kibibytes, _ in growth if count]
        for what, growth in found.items()
    }
    across, up = operation_costs.decades("how many", series), operation_costs.steps("resident, MiB", series)
    return plot.lines(title, across, up, series, legend=True)


def loaded_loops(products: Products) -> str:
    """CPU time of a request to `/hello` by loops that share a core, beside one loop on it, in turns."""
    plan = Plan(LOAD_ROUNDS, LOAD_SECONDS, *two_cores())
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(servers.weir(products, {"WEIR_LOOPS": str(count)}, plan.server_core))
            for count in LOOPS_LOADED
        ]
        sides = [turns.under_load(server, "/hello", plan) for server in served]
        one, *others = turns.microseconds("loops 1, 2 and 4", sides, plan)
    rows = ["| loops on one core | CPU of a request, beside that of one loop | from, to |", "|---:|---:|---:|"]
    for count, taken in zip(LOOPS_LOADED[1:], others, strict=True):
        ratios = [these / this for these, this in zip(taken, one, strict=True)]
        rows.append(f"| {count} | {statistics.median(ratios):.2f} × | {min(ratios):.2f}–{max(ratios):.2f} |")
    return "\n".join(rows)


def measure(products: Products) -> tuple[list[str], dict[str, str]]:
    """What the document says, and its plots by title."""
    found = {}
    for what, (counts, take) in MEASURES.items():
        found[what] = growth(products.gateway, counts, take)
        print(table(what, found[what]), file=sys.stderr)
    costs = operation_costs.measure(products)
    memory = "Resident memory of the gateway"
    charts = operation_costs.charts(costs) | {memory: memory_chart(memory, found)}
    tables = [*operation_costs.tables(costs), *(table(*one) for one in found.items()), loaded_loops(products)]
    return tables, charts


def file_name(title: str) -> str:
    """That of a plot, beside the document."""
    return f"scaling-{title.split(' of ')[0].lower().replace(' ', '-')}.svg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, default=Path(".build-static/release"))
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="a document with this program's marks")
    arguments = parser.parse_args()
    if arguments.write:
        report.check_writable(arguments.write, "scaling.py")
    require("setpriv", "strip", "taskset", "valgrind", "wrk")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="weir-scaling-") as folder:
        names = ("weir", "hello", "Micro")
        binaries = {name: strip(STRIPPING[name], arguments.products / name, Path(folder)) for name in names}
        tables, charts = measure(Products(binaries, Path(folder)))
    command = shlex.join(["python3", "Benchmarks/scaling.py", *sys.argv[1:]])
    figures = [f"![{title}]({file_name(title)})" for title in charts]
    shown = "\n\n".join([*tables, *figures, f"{report.when_and_where()}\n- Command: `{command}`"])
    print(shown)
    if not arguments.write:
        return
    report.write(arguments.write, shown, "scaling.py")
    for title, svg in charts.items():
        arguments.write.with_name(file_name(title)).write_text(svg)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"scaling.py: {error}")
