# SPDX-License-Identifier: Apache-2.0
# Endpoints that take a request and do not answer: how long one is waited for before another is asked.

import json
import threading

import pytest

from retries import in_order
from upstream import answer
from wire import request


def silent(peer):
    peer.request()
    peer.wait_for_end()


def early(peer):
    peer.request()
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    peer.wait_for_end()


def failures(server, endpoint, reason):
    labels = f'{{upstream="orders",endpoint="{endpoint.url}",reason="{reason}"}}'
    return server.metric("weir_upstream_failures_total" + labels)


@pytest.mark.parametrize("script", [silent, early], ids=["nothing", "an interim response only"])
def test_another_endpoint_is_asked_when_one_says(script, gateway, upstream, tmp_path):
    bad, good = upstream(script), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"attempt-timeout": "100ms"})
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, reply.body) == (200, b"ok")
    bad.wait_for_end(bad.requests[0].connection)
    assert failures(server, bad, "attempt_timeout") == 1
    assert failures(server, good, "attempt_timeout") == 0
    assert server.metric("weir_upstream_retries_total") == 1


def test_of_two_endpoints_one_stands_still_and_no_get_fails(gateway, upstream_process, tmp_path):
    endpoints = [upstream_process() for _ in range(2)]
    server = in_order(gateway, tmp_path, endpoints, {"attempt-timeout": "200ms"}, balance="round-robin")
    endpoints[1].stop()
    with server.connect() as wire:
        assert {wire.get().status for _ in range(12)} == {200}
        # It counts against it, so that in the end nobody waits for it any more.
        while not any(f"endpoint {endpoints[1].url} of upstream" in message for message in server.messages):
            assert wire.get().status == 200
    endpoints[1].resume()


@pytest.mark.parametrize(
    ("asked", "retry"),
    [(request(method="POST"), {}), (request(), {"on": ["connect", "reset"]}), (request(), {"attempts": 0})],
    ids=["a method that is not idempotent", "no cause of the route's", "no retries"],
)
def test_what_is_not_sent_again_fails(asked, retry, gateway, upstream, tmp_path):
    bad, good = upstream(silent), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"attempt-timeout": "100ms", **retry})
    with server.connect() as wire:
        wire.send(asked)
        reply = wire.reply()
    assert (reply.status, json.loads(reply.body)["reason"]) == (504, "upstream_attempt_timeout")
    assert not good.requests


def test_each_attempt_has_its_time_and_the_last_ones_end_is_told(gateway, upstream, tmp_path):
    endpoints = [upstream(silent) for _ in range(3)]
    server = in_order(gateway, tmp_path, endpoints, {"attempt-timeout": "50ms", "attempts": 2})
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, json.loads(reply.body)["reason"]) == (504, "upstream_attempt_timeout")
    assert [failures(server, one, "attempt_timeout") for one in endpoints] == [1, 1, 1]


def test_the_deadline_bounds_all_attempts(gateway, upstream, tmp_path):
    endpoints = [upstream(silent) for _ in range(2)]
    server = in_order(gateway, tmp_path, endpoints, {"attempt-timeout": "10s"}, deadline="200ms")
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, json.loads(reply.body)["reason"]) == (504, "deadline_exceeded")
    assert not endpoints[1].requests
    assert failures(server, endpoints[0], "attempt_timeout") == 0


def test_behind_the_head_a_body_may_take_longer(gateway, upstream, tmp_path):
    # Longer than an attempt may take: the request beside it, which fails for that, says when.
    failed = threading.Event()

    def slow(peer):
        asked = peer.request()
        if asked.target == "/silent":
            return peer.wait_for_end()
        peer.send(answer(b"slow", status="200 OK")[:-4])
        peer.wait(failed)
        peer.send(b"slow")

    only = upstream(slow)
    server = in_order(gateway, tmp_path, [only], {"attempt-timeout": "100ms", "attempts": 0})
    with server.connect() as wire, server.connect() as other:
        wire.send(request())
        only.wait_for_requests(1)
        assert other.get("/silent").status == 504
        failed.set()
        assert wire.reply().body == b"slow"
