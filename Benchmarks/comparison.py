# SPDX-License-Identifier: Apache-2.0
"""CPU time per request beside nginx: the same load on the same core, in turns."""

import statistics
import sys
from dataclasses import dataclass

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
            one = Round(
                microseconds_per_request(weir, comparison.path, comparison.depth, plan),
                microseconds_per_request(nginx, "/hello", comparison.depth, plan),
            )
            rounds.append(one)
            print(
                f"{comparison.work}, round {number} of {plan.rounds}: Weir {one.weir_microseconds:.3f} µs, "
                f"nginx {one.nginx_microseconds:.3f} µs, ratio {one.ratio:.3f}",
                file=sys.stderr,
            )
    return row(comparison, rounds)


def microseconds_per_request(server: servers.Server, path: str, depth: int, plan: Plan) -> float:
    before = server.cpu_nanoseconds()
    requests = load.send(server, path, plan, depth)
    return (server.cpu_nanoseconds() - before) / 1_000 / requests


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
