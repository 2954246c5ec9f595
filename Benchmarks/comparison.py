# SPDX-License-Identifier: Apache-2.0
"""CPU time per request beside nginx: the same load on the same core, in turns."""

import statistics
import sys
from dataclasses import dataclass, replace

import load
import servers
from load import Plan
from report import Row
from tools import Products


@dataclass(frozen=True)
class Comparison:
    """What Weir answers on `path`, against what nginx answers on `/hello`."""

    work: str
    path: str
    ratio_max: float
    depth: int = 1


HELLO = Comparison("/hello, 64 connections", "/hello", ratio_max=0.90)
PIPELINED = Comparison("/hello, 16 pipelined", "/hello", ratio_max=0.15, depth=16)
ASYNC = Comparison("/async", "/async", ratio_max=1.15)
BLOCKING = Comparison("/blocking", "/blocking", ratio_max=2.0)


@dataclass
class Spent:
    """CPU time and requests of one server, over several turns."""

    nanoseconds: int = 0
    requests: int = 0

    def add(self, server: servers.Server, path: str, depth: int, turn: Plan) -> None:
        before = server.cpu_nanoseconds()
        self.requests += load.send(server, path, turn, depth)
        self.nanoseconds += server.cpu_nanoseconds() - before

    @property
    def microseconds_per_request(self) -> float:
        return self.nanoseconds / 1_000 / self.requests


@dataclass(frozen=True)
class Round:
    weir_microseconds: float
    nginx_microseconds: float

    @property
    def ratio(self) -> float:
        return self.weir_microseconds / self.nginx_microseconds


def compare(comparison: Comparison, products: Products, plan: Plan) -> Row:
    weir = servers.weir(products, {}, plan.server_core)
    nginx = servers.nginx(products, plan.server_core)
    rounds: list[Round] = []
    with weir, nginx:
        load.warm_up(weir, comparison.path, plan, comparison.depth)
        load.warm_up(nginx, "/hello", plan, comparison.depth)
        for number in range(1, plan.rounds + 1):
            one = measure_round(comparison, weir, nginx, plan)
            rounds.append(one)
            print(
                f"{comparison.work}, round {number} of {plan.rounds}: Weir {one.weir_microseconds:.3f} µs, "
                f"nginx {one.nginx_microseconds:.3f} µs, ratio {one.ratio:.3f}",
                file=sys.stderr,
            )
    return row(comparison, rounds)


def measure_round(comparison: Comparison, weir: servers.Server, nginx: servers.Server, plan: Plan) -> Round:
    """The two take turns of one second: what slows the machine down for some seconds slows both."""
    ours, theirs = Spent(), Spent()
    turn = replace(plan, seconds=1)
    for _ in range(plan.seconds):
        ours.add(weir, comparison.path, comparison.depth, turn)
        theirs.add(nginx, "/hello", comparison.depth, turn)
    return Round(ours.microseconds_per_request, theirs.microseconds_per_request)


def row(comparison: Comparison, rounds: list[Round]) -> Row:
    """The ratio is taken round by round, because what disturbs a machine lasts longer than one round."""
    ratios = [one.ratio for one in rounds]
    ratio = statistics.median(ratios)
    return Row(
        work=f"{comparison.work}: CPU beside nginx",
        measured=f"{ratio:.2f} ×",
        target=f"{comparison.ratio_max:.2f} ×",
        spread=f"{min(ratios):.2f}–{max(ratios):.2f}",
        weir=f"{statistics.median(one.weir_microseconds for one in rounds):.2f} µs",
        nginx=f"{statistics.median(one.nginx_microseconds for one in rounds):.2f} µs",
        passed=ratio <= comparison.ratio_max,
    )
