# SPDX-License-Identifier: Apache-2.0
# Endpoints that have taken longer of late than what is left are not asked, but for a few calls that find out whether they
# are well again.

import threading

from polling import eventually
from upstream import answer

UNMEETABLE = 'weir_rejected_total{reason="deadline_unmeetable"}'
HURRY = ["x-envoy-expected-rq-timeout-ms: 150"]
# More than half of the nine times that are kept.
ENOUGH = 5


def slow_until_well(peer):
    while True:
        peer.request()
        if not peer.upstream.is_well:
            peer.upstream.pause.wait(0.3)
        peer.send(answer(b"slow"))


def make_slow(upstream):
    endpoint = upstream(slow_until_well)
    endpoint.is_well, endpoint.pause = False, threading.Event()
    return endpoint


def statuses(wire, count):
    replies = [wire.get(headers=HURRY) for _ in range(count)]
    return [(reply.status, b'"reason":"deadline_unmeetable"' in reply.body) for reply in replies]


def test_a_call_that_cannot_be_answered_in_time_is_not_made(upstream, gateway):
    endpoint = make_slow(upstream)
    server = gateway(endpoint)
    with server.connect() as wire:
        for _ in range(ENOUGH):
            assert wire.get().status == 200
        # The first is made to see whether the endpoint is well, and given up.
        assert statuses(wire, 1) == [(504, False)]
        assert statuses(wire, 10) == [(504, True)] * 10
        assert len(endpoint.requests) == ENOUGH + 1
        # Who has more time is answered.
        assert wire.get().status == 200
    assert server.metric(UNMEETABLE) == 10


def test_an_endpoint_that_is_well_again_is_found_out(upstream, gateway):
    endpoint = make_slow(upstream)
    server = gateway(endpoint)
    with server.connect() as wire:
        for _ in range(ENOUGH):
            assert wire.get().status == 200
        assert statuses(wire, 2) == [(504, False), (504, True)]
        endpoint.is_well = True
        count = len(endpoint.requests)
        # By one call in twenty; those that are refused cost the endpoint nothing.
        eventually(lambda: statuses(wire, 3) == [(200, False)] * 3, "the endpoint is asked again")
        assert server.metric(UNMEETABLE) >= 10 * (ENOUGH - 2)
    assert len(endpoint.requests) < count + 20


def test_another_endpoint_takes_the_place_of_a_slow_one(upstream, gateway):
    slow, fast = make_slow(upstream), upstream()
    server = gateway(slow, fast)
    with server.connect() as wire:
        for _ in range(2 * ENOUGH):
            assert wire.get().status == 200
        count = len(slow.requests)
        replies = [wire.get(headers=HURRY).status for _ in range(20)]
        # One is the call that sees whether the slow one is well.
        assert replies.count(200) >= 18
        assert len(slow.requests) <= count + 2
    assert server.metric(UNMEETABLE) == 0
