#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Heap allocations per request, counted by a library that stands in for the C library's allocator.

`--check` counts those of the engine alone, and fails when there are more than `allocations.json` says; `--update "why"`
writes those that have changed there, each with the reason.
Build first: swift build -c release --static-swift-stdlib --scratch-path .build-static --product Replay
"""

import argparse
import contextlib
import socket
import sys
from pathlib import Path

import footprint
import load
import proxies
import replay
import servers
from expected import Expected, measured_products, parse_action
from load import Plan
from replay import Case, Count
from report import Row
from servers import Server
from tools import BenchmarkError, Products, run

SOURCE = Path(__file__).with_name("count_allocations.c")
ROUNDS_FEW = 1_000
ROUNDS_MANY = 101_000
# Once to warm up, and once more to count: of one request on each connection.
ROUNDS_OF_KEPT = 1_600
# For `--check`, which looks for what each request allocates; with a log that holds all its lines.
ROUNDS_FEW_CHECKED = 200
ROUNDS_MANY_CHECKED = 1_200
EXPECTED = Expected(Path(__file__).with_name("allocations.json"))
# The threads that requests run on. Others look after the pod at an interval, whether there are requests or not.
LOOPS = "weir-loop"


class Counter:
    """The counting library, and the file in which it counts one process's allocations."""

    def __init__(self, folder: Path, thread: str | None = None) -> None:
        """`thread` is the name of the threads that are counted; all of them are without it."""
        self._file = folder / "allocations"
        self._file.unlink(missing_ok=True)
        library = folder / "count_allocations.so"
        run("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE)
        self.environment = {"LD_PRELOAD": str(library), "COUNT_ALLOCATIONS_FILE": str(self._file)}
        if thread is not None:
            self.environment["COUNT_ALLOCATIONS_THREAD"] = thread

    def read(self) -> int:
        return int.from_bytes(self._file.read_bytes(), "little")


def in_engine(case: Case, products: Products) -> Row:
    """The engine alone, with nothing around it that might allocate: here the target is exactly 0."""
    more = allocations_of_replay(case, products, ROUNDS_FEW, ROUNDS_MANY)
    return Row(
        work=f"{case.name}: heap allocations per request, engine alone",
        measured=fraction(more.events, more.requests),
        target="0",
        weir=f"{more.events:,} in {more.requests:,}",
        passed=more.events == 0,
    )


def allocations_of_replay(case: Case, products: Products, rounds_few: int, rounds_many: int) -> Count:
    """What the longer run has more of: requests, and allocations."""

    def count(rounds: int) -> Count:
        counter = Counter(products.folder)
        result = run(*case.command(products.replay, rounds), environment=counter.environment)
        return Count(replay.requests(result.stdout), counter.read())

    return count(rounds_many) - count(rounds_few)


def in_service(route: str, products: Products, plan: Plan) -> Row:
    counter = Counter(products.folder, LOOPS)
    with servers.weir(products, counter.environment, plan.server_core) as server:
        return under_wrk(route, server, route, counter, plan)


def under_wrk(name: str, server: Server, path: str, counter: Counter, plan: Plan) -> Row:
    """The whole service: here each connection that is opened, one in 1,000 requests, has its share."""
    load.warm_up(server, path, plan)
    before = counter.read()
    requests = load.send(server, path, plan)
    allocations = counter.read() - before
    return Row(
        work=f"{name}: heap allocations per request, service under wrk",
        measured=fraction(allocations, requests),
        weir=f"{allocations:,} in {requests:,}",
    )


def in_gateway(products: Products, plan: Plan) -> list[Row]:
    return [on_kept_connections(products, plan), in_gateway_under_wrk(products, plan)]


def on_kept_connections(products: Products, plan: Plan) -> Row:
    """No connection is opened meanwhile, on either side: here the target is exactly 0."""
    counter = Counter(products.folder, LOOPS)
    settings = {**counter.environment, "WEIR_KEEPALIVE_REQUESTS": str(ROUNDS_OF_KEPT * 3)}
    with (
        proxies.endpoint(products, plan.load_core) as endpoint,
        proxies.gateway(products, endpoint, settings, plan.server_core) as server,
        contextlib.ExitStack() as stack,
    ):
        connections = footprint.open_connections(server, load.CONNECTIONS, stack)
        request_on_all(connections, ROUNDS_OF_KEPT)
        before = counter.read()
        request_on_all(connections, ROUNDS_OF_KEPT)
        allocations = counter.read() - before
    requests = ROUNDS_OF_KEPT * len(connections)
    return Row(
        work="proxy: heap allocations per request, on kept connections",
        measured=fraction(allocations, requests),
        target="0",
        weir=f"{allocations:,} in {requests:,}",
        passed=allocations == 0,
    )


def request_on_all(connections: list[socket.socket], rounds: int) -> None:
    """All at a time, so that there are as many requests in the proxy as there are connections."""
    for _ in range(rounds):
        for connection in connections:
            connection.sendall(footprint.REQUEST)
        for connection in connections:
            footprint.read_answer(connection)


def in_gateway_under_wrk(products: Products, plan: Plan) -> Row:
    counter = Counter(products.folder, LOOPS)
    with (
        proxies.endpoint(products, plan.load_core) as endpoint,
        proxies.gateway(products, endpoint, counter.environment, plan.server_core) as server,
    ):
        return under_wrk("proxy", server, "/hello", counter, plan)


def fraction(allocations: int, requests: int) -> str:
    return f"{allocations / requests:.6f}" if allocations else "0"


def check(measured: dict[str, Count]) -> None:
    before = EXPECTED.of(measured)
    for name, count in measured.items():
        print(f"{name}: {count.events:,} allocations in {count.requests:,} requests, {before[name]} in each before")
    grown = [name for name, count in measured.items() if count.events > before[name] * count.requests]
    if grown:
        raise BenchmarkError(
            f"more allocations than before: {', '.join(grown)}. If that is what it must cost, "
            'run: python3 Benchmarks/allocations.py --update "why it must"'
        )


def main() -> int:
    options = parse_action(argparse.ArgumentParser(description=__doc__))
    try:
        with measured_products(options.build_folder, "Replay") as products:
            measured = {
                case.name: allocations_of_replay(case, products, ROUNDS_FEW_CHECKED, ROUNDS_MANY_CHECKED)
                for case in replay.CASES
            }
        if options.update:
            # Rounded up: what is not in each request is in some.
            counts = {name: -(-count.events // count.requests) for name, count in measured.items()}
            EXPECTED.update(counts, options.update)
        else:
            check(measured)
    except BenchmarkError as error:
        print(f"allocations: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
