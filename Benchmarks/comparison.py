# SPDX-License-Identifier: Apache-2.0
"""CPU time per request beside nginx: the same load on the same core, in turns."""

from dataclasses import dataclass

import servers
import turns
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


def compare(comparison: Comparison, products: Products, plan: Plan) -> Row:
    weir = servers.weir(products, {}, plan.server_core)
    nginx = servers.nginx(products, plan.server_core)
    with weir, nginx:
        sides = [
            turns.under_load(weir, comparison.path, plan, comparison.depth),
            turns.under_load(nginx, "/hello", plan, comparison.depth),
        ]
        ours, theirs = turns.microseconds(comparison.work, sides, plan)
    return turns.cpu_beside("nginx", comparison.work, ours, theirs, comparison.ratio_max)
