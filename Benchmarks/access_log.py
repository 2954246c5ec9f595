# SPDX-License-Identifier: Apache-2.0
"""What the access log costs: the same server with a log to a file and without one, in turns."""

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import proxies
import servers
import turns
from load import Plan
from report import Row
from servers import Server
from tools import BenchmarkError, Products

MICROSECONDS_MAX = 0.6
PIECE_BYTES = 1 << 20

# Starts a server with these settings beside those that it always has.
Start = Callable[[Mapping[str, str]], Server]


def of_service(products: Products, plan: Plan) -> Row:
    def start(settings: Mapping[str, str]) -> Server:
        return servers.weir(products, settings, plan.server_core)

    return compare("/hello", start, products, plan)


def of_gateway(products: Products, plan: Plan) -> Row:
    with proxies.endpoint(products, plan.load_core) as endpoint:

        def start(settings: Mapping[str, str]) -> Server:
            return proxies.gateway(products, endpoint, settings, plan.server_core)

        return compare("proxy", start, products, plan)


def compare(name: str, start: Start, products: Products, plan: Plan) -> Row:
    title = f"{name}: access log to a file"
    file = products.folder / "access.log"
    file.unlink(missing_ok=True)
    with start({"WEIR_ACCESS_LOG": str(file)}) as logging, start({}) as silent:
        sides = [turns.under_load(server, "/hello", plan) for server in (logging, silent)]
        with_log, without = turns.microseconds(title, sides, plan)
    check_complete(file, sides[0].done)
    return row(title, with_log, without)


def check_complete(file: Path, requests: int) -> None:
    """A log that drops lines would look as if it cost less."""
    lines = 0
    with file.open("rb", buffering=0) as log:
        while piece := log.read(PIECE_BYTES):
            lines += piece.count(b"\n")
    if lines < requests:
        raise BenchmarkError(f"the access log has {lines:,} lines for {requests:,} requests")


def row(title: str, with_log: list[float], without: list[float]) -> Row:
    more = [one - other for one, other in zip(with_log, without, strict=True)]
    median = statistics.median(more)
    return Row(
        work=f"{title}: CPU per request more",
        measured=f"{median:.2f} µs",
        target=f"≤ {MICROSECONDS_MAX:.2f} µs",
        spread=f"{min(more):.2f}–{max(more):.2f}",
        weir=f"{statistics.median(without):.2f} → {statistics.median(with_log):.2f} µs",
        passed=median <= MICROSECONDS_MAX,
    )
