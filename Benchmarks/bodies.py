# SPDX-License-Identifier: Apache-2.0
"""Bodies of 1 GiB through the proxy: throughput per second of CPU time beside nginx, and the memory that it takes."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import proxies
import turns
from load import Plan
from report import Row
from servers import Server
from tools import BenchmarkError, Products, run

BODY_MEBIBYTES = 1024
RATIO_MIN = 0.90
GROWTH_MEBIBYTES_MAX = 8


@dataclass(frozen=True)
class Direction:
    """Which way the body goes: the endpoint, and a transfer from or to it, which gives how many bytes went through."""

    name: str
    endpoint: Callable[[Products, int], Server]
    transfer: Callable[[Server, Path, int], int]


def download(server: Server, body: Path, core: int) -> int:
    options = ("--output", "/dev/null", "--write-out", "%{size_download}")
    return int(curl(core, *options, server.url(f"/{body.name}")))


def upload(server: Server, body: Path, core: int) -> int:
    """The answer is the count of bytes that the sink took."""
    # Without this curl waits for leave to send the body, for a second where nobody gives it.
    at_once = ("--header", "Expect:")
    return int(curl(core, *at_once, "--upload-file", body, server.url("/")))


def curl(core: int, *arguments: str | Path) -> str:
    return run("taskset", "-c", str(core), "curl", "--silent", "--show-error", "--fail", *arguments).stdout


DOWN = Direction("1 GiB down", proxies.endpoint, download)
UP = Direction("1 GiB up", proxies.sink, upload)


@dataclass
class Memory:
    """What a server holds when it is made, and the most that it holds from then on."""

    server: Server

    def __post_init__(self) -> None:
        self.server.reset_resident_peak()
        self._before = self.server.resident_peak_bytes()

    def growth_mebibytes(self) -> float:
        return (self.server.resident_peak_bytes() - self._before) / 2**20


def compare(direction: Direction, products: Products, plan: Plan) -> list[Row]:
    """In turns of one body, which is about as long as the second of the other comparisons."""
    body = products.folder / "body"
    with body.open("wb") as file:
        file.truncate(BODY_MEBIBYTES << 20)
    with direction.endpoint(products, plan.load_core) as endpoint:
        weir = proxies.gateway(products, endpoint, {}, plan.server_core)
        nginx = proxies.nginx(products, endpoint, plan.server_core)
        nginx_64k = proxies.nginx_with_large_buffers(products, endpoint, plan.server_core)
        with weir, nginx, nginx_64k:
            memory = [Memory(server) for server in (weir, nginx)]
            sides = [carrying(direction, server, body, plan) for server in (weir, nginx, nginx_64k)]
            ours, theirs, theirs_64k = turns.microseconds(f"{direction.name}, CPU per MiB", sides, plan)
            growth = [one.growth_mebibytes() for one in memory]
    return [
        throughput_row(direction, "nginx", ours, theirs),
        throughput_row(direction, "nginx with 64 KiB of buffers", ours, theirs_64k),
        growth_row(direction, *growth),
    ]


def carrying(direction: Direction, server: Server, body: Path, plan: Plan) -> turns.Side:
    def work() -> int:
        """In MiB."""
        count = direction.transfer(server, body, plan.load_core)
        if count != BODY_MEBIBYTES << 20:
            raise BenchmarkError(f"{direction.name} through {server.name} ended after {count:,} bytes")
        return BODY_MEBIBYTES

    return turns.Side(server, work)


def throughput_row(direction: Direction, peer: str, ours: list[float], theirs: list[float]) -> Row:
    """Of the microseconds for each MiB; the ratio is taken round by round, as for requests."""
    ratios = [other / one for one, other in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        work=f"{direction.name}: throughput per CPU second beside {peer}",
        measured=f"{ratio:.2f} ×",
        target=f"≥ {RATIO_MIN:.2f} ×",
        spread=f"{min(ratios):.2f}–{max(ratios):.2f}",
        weir=gibibytes_a_second(ours),
        peer=f"nginx {gibibytes_a_second(theirs)}",
        passed=ratio >= RATIO_MIN,
    )


def gibibytes_a_second(microseconds: list[float]) -> str:
    return f"{1e6 / statistics.median(microseconds) / 1024:.2f} GiB/s"


def growth_row(direction: Direction, ours: float, theirs: float) -> Row:
    return Row(
        work=f"{direction.name}: memory more than before, at its peak",
        measured=f"{ours:.1f} MiB",
        target=f"≤ {GROWTH_MEBIBYTES_MAX} MiB",
        peer=f"nginx {theirs:.1f} MiB",
        passed=ours <= GROWTH_MEBIBYTES_MAX,
    )
