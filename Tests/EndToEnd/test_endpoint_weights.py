# SPDX-License-Identifier: Apache-2.0
# What becomes of an endpoint's weight while it refuses, after it has recovered, where too few are well, and where none
# can be connected to.

from control import sample, wait_for_health
from load import CLIENTS, ask, load
from polling import eventually

CHECKED = {"balance": "round-robin", "check": {"http": "/healthz", "interval": "1s", "timeout": "500ms"}}


def of_upstream(server, name):
    return server.metric(f'weir_upstream_{name}{{upstream="orders"}}')


def test_who_refuses_keeps_little_of_its_weight_and_is_not_ejected(trio):
    # Refusals are quick: whoever goes by latency alone would send more and more there.
    server, (*_, third) = trio({"balance": "least-latency"})
    with load(server) as running:
        running.wait_for(100)
        third.become("refuse")
        running.wait_until(lambda: sample(server, "endpoint_weight", third) < 0.1, "it has little weight", 15)
        before = sample(server, "requests_total", third)
        seen = len(running.seen)
        running.wait_for(600)
        share = (sample(server, "requests_total", third) - before) / (len(running.seen) - seen)
        assert share < 1 / 6
        assert set(running.stop()) == {200, 429}
    assert sample(server, "endpoint_ejected", third) == sample(server, "breaker_open", third) == 0
    # It comes back by itself.
    third.become("well")
    eventually(lambda: sample(server, "endpoint_weight", third) > 0.3, "its weight grows", 15)
    assert set(ask(server, 100)) == {200}


def test_who_recovers_begins_with_less(trio):
    server, (*_, third) = trio({**CHECKED, "slow-start": "1m"})
    wait_for_health(server, "passing", "passing", "passing")
    assert sample(server, "endpoint_weight", third) == 1
    third.become("refuse_checks")
    eventually(lambda: sample(server, "endpoint_weight", third) == 0, "it is left alone")
    third.become("well")
    first = eventually(lambda: sample(server, "endpoint_weight", third), "it is used again")
    assert first < 0.5
    eventually(lambda: sample(server, "endpoint_weight", third) > first, "its weight grows")


def test_where_fewer_than_half_are_well_all_are_used(trio):
    server, endpoints = trio({**CHECKED, "slow-start": "off"})

    def served():
        """How many of the next requests each has had."""
        before = [sample(server, "requests_total", one) for one in endpoints]
        assert set(ask(server, 90)) == {200}
        return [sample(server, "requests_total", one) - count for one, count in zip(endpoints, before)]

    wait_for_health(server, "passing", "passing", "passing")
    for one in endpoints[:2]:
        one.become("refuse_checks")
    wait_for_health(server, "critical", "critical", "passing")
    server.wait_for_line("upstream orders: so few endpoints are well that all are used")
    assert of_upstream(server, "panicking") == 1
    assert min(served()) >= 29
    endpoints[0].become("well")
    wait_for_health(server, "passing", "critical", "passing")
    server.wait_for_line("upstream orders: enough endpoints are well again")
    assert of_upstream(server, "panicking") == 0
    first, second, third = served()
    assert (min(first, third) >= 44, second) == (True, 0)


def test_where_none_takes_connections_it_is_said_at_once_until_one_does(trio):
    server, endpoints = trio({"balance": "round-robin", "breaker": {"open": "100ms", "open-max": "200ms"}})
    with load(server) as running:
        running.wait_for(100)
        for one in endpoints:
            one.kill()
        running.wait_until(
            lambda: all(sample(server, "breaker_open", one) for one in endpoints), "all are left alone"
        )
        running.wait_until(lambda: (503, "no_endpoint") in running.seen, "it is said")
        endpoints[1].restart()
        running.wait_until(lambda: running.seen[-CLIENTS:] == [200] * CLIENTS, "one is there again", 15)
        own = {key for key in running.stop() if key != 200}
    # Those that were underway (one whose head had come is broken off), those that no connection could be made for, and
    # those that were not even tried.
    failed = {(502, f"upstream_{why}") for why in ("closed", "reset", "connect")}
    assert own <= failed | {"broken off", (503, "no_endpoint")}
    assert set(ask(server, 100)) == {200}
