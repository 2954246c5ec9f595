# SPDX-License-Identifier: Apache-2.0
"""What limits, admission and a deadline cost: a request that passes them beside one that passes none, in turns."""

from dataclasses import replace

import load
import servers
import turns
from load import Plan
from report import Row
from turns import Side
from tools import Products

# /ping answers as /hello does, and belongs to no pool.
LIMITED, FREE = "/hello", "/ping"
# Nobody is refused, and all that is said of the limit is written into each answer.
SETTINGS = {"WEIR_RATE_LIMIT": "1000000000/s;by=client"}
DEADLINE = ("grpc-timeout: 5S",)
WORK = "/hello with a keyed limit, admission and a deadline"
RATIO_MAX = 1.05


def compare(products: Products, plan: Plan) -> Row:
    with (
        servers.weir(products, SETTINGS, plan.server_core) as limited,
        servers.weir(products, {}, plan.server_core) as free,
    ):
        turn = replace(plan, seconds=1)
        sides = [
            Side(limited, lambda: load.send(limited, LIMITED, turn, headers=DEADLINE)),
            Side(free, lambda: load.send(free, FREE, turn)),
        ]
        for side in sides:
            side.take_turn()
        ours, theirs = turns.microseconds(WORK, sides, plan)
    return turns.cpu_beside("one without", WORK, ours, theirs, RATIO_MAX)
