# SPDX-License-Identifier: Apache-2.0
# Shares by weight: of a route that is split, over so many requests that chance leaves little room, and of an endpoint
# that warns.
#
# WEIR_SPLIT_REQUESTS says how many requests are split: a million where it says nothing, which takes 20 s on two cores.

import contextlib
import math
import os
import re

import pytest

from control import page, start, wait_for_health
from load import load
from upstream import answer
from wire import request

REQUESTS = int(os.environ.get("WEIR_SPLIT_REQUESTS", 1_000_000))
CONNECTIONS, PIPELINED = 16, 50
GREETING = b"Hello, world\n"
# Below that it is no chance: of a million runs, three fail all the same.
CHANCE_MIN = 1e-6


def chance(count, total, share):
    """The exact binomial test, two-sided: how likely a count is that is at least so far from what the share says."""

    def probability(successes):
        ways = math.lgamma(total + 1) - math.lgamma(successes + 1) - math.lgamma(total - successes + 1)
        return math.exp(ways + successes * math.log(share) + (total - successes) * math.log1p(-share))

    # Terms fall from the expected count outwards, on both sides.
    outer = range(count, total + 1) if count >= total * share else range(count, -1, -1)
    sum = 0
    for successes in outer:
        term = probability(successes)
        sum += term
        if term <= sum * 1e-12:
            break
    return min(1, 2 * sum)


@pytest.mark.parametrize("count, total, share, expected", [
    (50, 100, 0.5, 1.0), (60, 100, 0.5, 0.05689), (5, 100, 0.01, 6.865e-3), (0, 100, 0.09, 1.604e-4),
    (900_600, 1_000_000, 0.9, 0.04554), (901_500, 1_000_000, 0.9, 5.470e-7), (9_600, 1_000_000, 0.01, 5.336e-5),
])  # fmt: skip
def test_the_binomial_test_is_one(count, total, share, expected):
    assert chance(count, total, share) == pytest.approx(expected, rel=0.001)


def ask_pipelined(server, count):
    """Asks exactly so many times; each must be answered with 200."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        while count:
            asked = []
            for wire in wires:
                asked.append(min(count, PIPELINED))
                count -= asked[-1]
                wire.send(request("/hello") * asked[-1])
            for wire, due in zip(wires, asked):
                for _ in range(due):
                    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
                    assert wire.read_until(GREETING) == GREETING


def requests_by(server, label):
    """How many requests were sent, by upstream or endpoint."""
    prefix = "weir_upstream_requests_total"
    samples = [(name, count) for name, count in server.metrics().items() if name.startswith(prefix)]
    return {re.search(f'[{{,]{label}="([^"]*)"', name)[1]: int(count) for name, count in samples}


def test_a_split_route_divides_requests_as_its_weights_say(serve, routed):
    service = serve(WEIR_KEEPALIVE_REQUESTS=1_000_000_000)
    weights = {"stable": 90, "canary": 9, "trial": 1}
    split = ", ".join(f"{{upstream: {name}, weight: {weight}}}" for name, weight in weights.items())
    server = routed(
        [f"  - {{split: [{split}]}}"], dict.fromkeys(weights, service), WEIR_KEEPALIVE_REQUESTS=1_000_000_000
    )
    ask_pipelined(server, REQUESTS)
    counts = requests_by(server, "upstream")
    assert sum(counts[name] for name in weights) == REQUESTS
    chances = {name: chance(counts[name], REQUESTS, weight / 100) for name, weight in weights.items()}
    assert all(chance >= CHANCE_MIN for chance in chances.values()), (counts, chances)


class Told:
    """An endpoint that answers checks with the status that it is told, and notes with which it did."""

    def __init__(self):
        self.status, self.said = "200 OK", []

    def __call__(self, peer):
        while True:
            if peer.request().target == "/healthz":
                self.said.append(self.status)
                peer.send(answer(status=self.status))
            else:
                peer.send(answer())


def test_an_endpoint_that_warns_has_its_share_after_one_check(gateway, upstream, tmp_path):
    told = Told()
    endpoints = [upstream(), upstream(), upstream(told)]
    server = start(
        gateway,
        tmp_path,
        {
            "endpoints": [one.url for one in endpoints],
            "check": {"http": "/healthz", "interval": "3s", "timeout": "1s"},
            "weights": {"passing": 10, "warning": 1},
        },
    )
    wait_for_health(server, "passing", "passing", "passing")

    def share(running, count):
        before = requests_by(server, "endpoint")
        running.wait_for(count)
        counts = [requests_by(server, "endpoint")[one.url] - before[one.url] for one in endpoints]
        return counts[2] / sum(counts)

    with load(server) as running:
        assert share(running, 900) == pytest.approx(10 / 30, abs=0.03)
        told.status = "429 Too Many Requests"
        running.wait_until(lambda: page(server)["endpoints"][2]["health"] == "warning", "it warns")
        # The first check that it answered so was enough: no second one has come.
        assert told.said.count(told.status) == 1
        assert share(running, 630) == pytest.approx(1 / 21, abs=0.01)
        assert set(running.stop()) == {200}
