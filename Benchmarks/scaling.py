#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How cost grows with routes, endpoints, keys, loops and connections: instructions of single operations by callgrind,
which no other load on the machine changes, and resident memory of the gateway.

`--write docs/scaling.md` puts the tables there. Build first: swift build -c release --static-swift-stdlib
--scratch-path .build-static --product Micro (and weir); `--products FOLDER` takes them from elsewhere.
"""

import argparse
import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import micro
import report
from instructions import ENVIRONMENT, counted
from replay import Count
from tools import BenchmarkError

OPERATIONS_FEW, OPERATIONS_MANY = 1_000, 21_000
ROUTES = (10, 1_000, 10_000)
ENDPOINTS = (1, 100, 1_000, 10_000)
UPSTREAM_ENDPOINTS = 250
KEYS = (1_000, 100_000, 1_000_000, 10_000_000)
LOOPS = (1, 2, 4, 16, 64)
CONNECTIONS = (0, 1_000, 4_000, 8_000)
BYTES_A_KEY = 16
START_SECONDS_MAX = 120.0
SAMPLE_SECONDS = 0.05
NOBODY = "http://127.0.0.1:9"
OPERATIONS = {
    # To make a table of 100,000 takes minutes under callgrind; `Micro routing-100000` times the look-up.
    "route look-up": [("10 routes", "routing-10"), ("1,000", "routing-1000")],
    "least-latency": [("3 endpoints", "balancing-least-latency-3"), ("1,000", "balancing-least-latency-1000")],
    "round-robin": [("3 endpoints", "balancing-round-robin-3"), ("1,000", "balancing-round-robin-1000")],
    "maglev": [("3 endpoints", "balancing-maglev-3"), ("1,000", "balancing-maglev-1000")],
    "first": [("3 endpoints", "balancing-first-3"), ("1,000", "balancing-first-1000")],
    "keyed limit (GCRA)": [("few keys", "limiter-keyed-gcra-cached"), ("a million", "limiter-keyed-gcra")],
}


def instructions_each(program: Path, name: str) -> float:
    def count(operations: int) -> Count:
        output, instructions = counted(micro.Case(name).command(program, operations))
        return Count(micro.operations(output), instructions)

    difference = count(OPERATIONS_MANY) - count(OPERATIONS_FEW)
    return difference.events / difference.requests


def operations(program: Path) -> str:
    rows = ["| operation | instructions among few | among many |", "|---|---|---|"]
    for operation, cases in OPERATIONS.items():
        counts = [f"{instructions_each(program, name):,.0f} ({size})" for size, name in cases]
        rows.append(f"| {operation} | {' | '.join(counts)} |")
        print(rows[-1], file=sys.stderr)
    return "\n".join(rows)


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
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)[1])

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


def table(what: str, counts: tuple[int, ...], measure: Callable[[int], tuple[int, float]]) -> str:
    rows = [f"| {what} | resident | each of those that are more | CPU |", "|---:|---:|---:|---:|"]
    first = None
    for count in counts:
        kibibytes, seconds = measure(count)
        first = first or (count, kibibytes)
        more = count - first[0]
        each = f"{(kibibytes - first[1]) * 1024 / more:,.0f} B" if more else ""
        rows.append(f"| {count:,} | {kibibytes / 1024:.1f} MiB | {each} | {seconds:.2f} s |")
        print(rows[-1], file=sys.stderr)
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, default=Path(".build-static/release"))
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="a document with this program's marks")
    arguments = parser.parse_args()
    if arguments.write:
        report.check_writable(arguments.write, "scaling.py")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    weir = arguments.products / "weir"
    parts = []
    for what, counts, measure in (
        ("routes", ROUTES, routes),
        ("endpoints", ENDPOINTS, endpoints),
        ("keys of a limit", KEYS, keys),
        ("loops", LOOPS, loops),
        ("idle connections", CONNECTIONS, connections),
    ):
        parts.append(table(what, counts, lambda count, measure=measure: measure(weir, count)))
    shown = "\n\n".join([operations(arguments.products / "Micro"), *parts])
    print(shown)
    if arguments.write:
        report.write(arguments.write, shown, "scaling.py")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"scaling.py: {error}")
