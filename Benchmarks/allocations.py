# SPDX-License-Identifier: Apache-2.0
"""Heap allocations per request, counted by a library that stands in for the C library's allocator."""

from pathlib import Path

import load
import replay
import servers
from report import Row
from tools import Products, run

SOURCE = Path(__file__).with_name("count_allocations.c")
# The difference between two lengths leaves out what start and end allocate.
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
    requests = replay.requests(1, ROUNDS_MANY - ROUNDS_FEW)
    return Row(
        work=f"{route}: heap allocations per request, engine alone",
        measured=fraction(many - few, requests),
        target="0",
        weir=f"{many - few:,} in {requests:,}",
        passed=many == few,
    )


def allocations_of_replay(route: str, rounds: int, products: Products) -> int:
    counter = Counter(products.folder)
    run(*replay.command(products.replay, route, 1, rounds), environment=counter.environment)
    return counter.read()


def in_service(route: str, products: Products, seconds: int, server_core: int, load_core: int) -> Row:
    """The whole service under wrk: here each connection that is opened, one in 1,000 requests, has its share."""
    counter = Counter(products.folder)
    with servers.weir(products, counter.environment, server_core) as server:
        load.warm_up(server, route, load_core)
        before = counter.read()
        requests = load.send(server, route, seconds, load_core)
        allocations = counter.read() - before
    return Row(
        work=f"{route}: heap allocations per request, service under wrk",
        measured=fraction(allocations, requests),
        weir=f"{allocations:,} in {requests:,}",
    )


def fraction(allocations: int, requests: int) -> str:
    return f"{allocations / requests:.6f}" if allocations else "0"
