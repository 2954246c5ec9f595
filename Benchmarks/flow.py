# SPDX-License-Identifier: Apache-2.0
"""What limits, admission and a deadline cost: a request that passes them beside one that passes none, and one that they
refuse beside one that is served, in turns."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import load
import servers
import turns
from load import Plan
from report import Row
from servers import Server
from turns import Side
from tools import Products

# /ping answers as /hello does, and belongs to no pool.
LIMITED, FREE = "/hello", "/ping"
# Nobody is refused, and all that is said of the limit is written into each answer.
SETTINGS = {"WEIR_RATE_LIMIT": "1000000000/s;by=client"}
DEADLINE = ("grpc-timeout: 5S",)
WORK = "/hello with a keyed limit, admission and a deadline"
RATIO_MAX = 1.05
REFUSED_RATIO_MAX = 1.00


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
        return _in_turns(sides, WORK, "one without", RATIO_MAX, plan)


def _in_turns(sides: list[Side], work: str, other: str, ratio_max: float, plan: Plan) -> Row:
    for side in sides:
        side.take_turn()
    ours, theirs = turns.microseconds(work, sides, plan)
    return turns.cpu_beside(other, work, ours, theirs, ratio_max)


def compare_refused(products: Products, plan: Plan) -> list[Row]:
    """A refusal beside /hello that passes the same: by a rate limit, and by a pool whose one place is taken."""
    with servers.weir(products, {"WEIR_RATE_LIMIT": "1/d;by=client"}, plan.server_core) as limited:
        _ask(limited, LIMITED).close()
        of_limit = _refused(limited, "429, refused by a rate limit", SETTINGS, products, plan)
    taken = {"WEIR_CONCURRENCY": "1", "WEIR_QUEUE": "0", "WEIR_DEADLINE": "1h"}
    with servers.weir(products, taken, plan.server_core) as full, _holding(full):
        of_pool = _refused(full, "503, refused by a full pool", {}, products, plan)
    return [of_limit, of_pool]


def _refused(
    refusing: Server, work: str, settings: Mapping[str, str], products: Products, plan: Plan
) -> Row:
    with servers.weir(products, settings, plan.server_core) as serving:
        turn = replace(plan, seconds=1)
        sides = [
            Side(refusing, lambda: load.send(refusing, LIMITED, turn, is_refused=True)),
            Side(serving, lambda: load.send(serving, LIMITED, turn)),
        ]
        return _in_turns(sides, work, "/hello", REFUSED_RATIO_MAX, plan)


def _ask(server: Server, path: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path)
    return connection


@contextmanager
def _holding(server: Server) -> Iterator[None]:
    """One request that stays in the service's only place."""
    connection = _ask(server, "/sleep?ms=3000000")
    # It has the place when another finds none.
    while True:
        other = _ask(server, LIMITED)
        status = other.getresponse().status
        other.close()
        if status == 503:
            break
    try:
        yield
    finally:
        connection.close()
