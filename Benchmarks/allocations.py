# SPDX-License-Identifier: Apache-2.0
"""Heap allocations per request, counted by a library that stands in for the C library's allocator."""

from pathlib import Path

import load
import replay
import servers
from load import Plan
from replay import Count
from report import Row
from tools import Products, run

SOURCE = Path(__file__).with_name("count_allocations.c")
ROUNDS_FEW = 1_000
ROUNDS_MANY = 101_000


class Counter:
    """The counting library, and the file in which it counts one process's allocations."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "allocations"
        self._file.unlink(missing_ok=True)
        library = folder / "count_allocations.so"
        run("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE)
        self.environment = {"LD_PRELOAD": str(library), "COUNT_ALLOCATIONS_FILE": str(self._file)}

    def read(self) -> int:
        return int.from_bytes(self._file.read_bytes(), "little")


def in_engine(route: str, products: Products) -> Row:
    """The engine alone, with nothing around it that might allocate: here the target is exactly 0."""
    few, many = (allocations_of_replay(route, rounds, products) for rounds in (ROUNDS_FEW, ROUNDS_MANY))
    more = many - few
    return Row(
        work=f"{route}: heap allocations per request, engine alone",
        measured=fraction(more.events, more.requests),
        target="0",
        weir=f"{more.events:,} in {more.requests:,}",
        passed=more.events == 0,
    )


def allocations_of_replay(route: str, rounds: int, products: Products) -> Count:
    counter = Counter(products.folder)
    result = run(*replay.command(products.replay, route, 1, rounds), environment=counter.environment)
    return Count(replay.requests(result.stdout), counter.read())


def in_service(route: str, products: Products, plan: Plan) -> Row:
    """The whole service under wrk: here each connection that is opened, one in 1,000 requests, has its share."""
    counter = Counter(products.folder)
    with servers.weir(products, counter.environment, plan.server_core) as server:
        load.warm_up(server, route, plan)
        before = counter.read()
        requests = load.send(server, route, plan)
        allocations = counter.read() - before
    return Row(
        work=f"{route}: heap allocations per request, service under wrk",
        measured=fraction(allocations, requests),
        weir=f"{allocations:,} in {requests:,}",
    )


def fraction(allocations: int, requests: int) -> str:
    return f"{allocations / requests:.6f}" if allocations else "0"
