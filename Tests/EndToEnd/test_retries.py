# SPDX-License-Identifier: Apache-2.0
# Requests that are sent again for what an endpoint has answered: to which, how often, and what is passed on after all.

import threading
import types

import pytest

from retries import in_order
from upstream import Ended, answer, repeating, serve_all, unused_port
from wire import request

NO = answer(b"no", status="503 Service Unavailable", headers=["X-Says: no"])
DISCARD_BYTES_MAX = 64 << 10


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_status_that_is_a_cause_is_not_seen_and_its_connection_is_kept(status, gateway, upstream, tmp_path):
    bad = upstream(repeating(answer(b"no" * 500, status=f"{status} No")))
    good = upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [status]})
    with server.connect() as wire:
        for number in range(4):
            reply = wire.get(f"/{number}")
            assert (reply.status, reply.body) == (200, b"ok")
    assert bad.targets == good.targets == [f"/{number}" for number in range(4)]
    assert {seen.connection for seen in bad.requests} == {0}
    assert server.metric("weir_upstream_retries_total") == 4


def test_a_status_that_is_no_cause_is_passed_on(gateway, upstream, tmp_path):
    bad, good = upstream(repeating(NO)), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": ["connect", 502, 504]})
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, reply.body, reply.header("x-says")) == (503, b"no", "no")
    assert not good.requests


@pytest.mark.parametrize(
    "asked",
    [request(method="POST"), request(method="PUT", headers=["Content-Length: 4"], body=b"body")],
    ids=["a method that is not idempotent", "a body that was sent"],
)
def test_what_would_be_carried_out_twice_is_not_sent_again(asked, gateway, upstream, tmp_path):
    bad, good = upstream(repeating(NO)), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503]})
    with server.connect() as wire:
        wire.send(asked)
        reply = wire.reply()
        assert (reply.status, reply.body, reply.header("x-says")) == (503, b"no", "no")
        assert not good.requests


def test_the_last_attempts_answer_is_passed_on_as_it_is(gateway, upstream, tmp_path):
    endpoints = [
        upstream(repeating(answer(f"no {number}".encode(), status="503 Full", headers=[f"X-Number: {number}"])))
        for number in range(4)
    ]
    server = in_order(gateway, tmp_path, endpoints, {"on": [503], "attempts": 2})
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, reply.body, reply.header("x-number")) == (503, b"no 2", "2")
    assert [len(one.requests) for one in endpoints] == [1, 1, 1, 0]


def test_without_leave_of_the_budget_the_first_answer_is_passed_on(gateway, upstream, tmp_path):
    bad, good = upstream(repeating(NO)), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503], "budget": "0%", "budget-min": 0})
    with server.connect() as wire:
        assert wire.get().status == 503
    assert not good.requests


def test_a_connection_that_cannot_be_made_needs_no_leave_where_there_is_another(gateway, upstream, tmp_path):
    nobody, good = types.SimpleNamespace(url=f"http://127.0.0.1:{unused_port()}"), upstream()
    server = in_order(gateway, tmp_path, [nobody, good], {"budget": "0%", "budget-min": 0})
    with server.connect() as wire:
        for method in ["GET", "POST"] * 2:
            wire.send(request(method=method))
            assert wire.reply().status == 200
    assert server.metric("weir_upstream_retries_total") >= 1


def test_a_single_endpoint_is_asked_again(gateway, upstream, tmp_path):
    replies = iter([NO, NO, answer()])

    def script(peer):
        while True:
            peer.request()
            peer.send(next(replies))

    only = upstream(script)
    server = in_order(gateway, tmp_path, [only], {"on": [503]})
    with server.connect() as wire:
        assert wire.get().status == 200
    assert len(only.requests) == 3


def test_a_single_endpoint_that_asks_for_more_time_than_is_left_is_not_asked_again(gateway, upstream, tmp_path):
    later = answer(b"no", status="503 Service Unavailable", headers=["Retry-After: 10"])
    only = upstream(repeating(later))
    server = in_order(gateway, tmp_path, [only], {"on": [503]}, deadline="5s")
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, reply.header("retry-after")) == (503, "10")
    assert len(only.requests) == 1


def test_another_endpoint_is_asked_whatever_the_first_says_of_itself(gateway, upstream, tmp_path):
    later = answer(b"no", status="503 Service Unavailable", headers=["Retry-After: 10"])
    bad, good = upstream(repeating(later)), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503]}, deadline="5s")
    with server.connect() as wire:
        assert wire.get().status == 200
    assert len(bad.requests) == len(good.requests) == 1


def test_the_client_does_not_wait_for_the_rest_of_an_answer_that_is_thrown_away(gateway, upstream, tmp_path):
    asked_again = threading.Event()

    def slow(peer):
        peer.request()
        peer.send(NO[:-1])
        peer.wait(asked_again)
        peer.send(NO[-1:])
        serve_all(peer)

    bad, good = upstream(slow), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503]})
    with server.connect() as wire:
        assert wire.get().status == 200
        assert len(good.requests) == 1
        asked_again.set()
        # Its connection is used again, once the first answer has come to its end.
        while all(seen.number == 0 for seen in bad.requests):
            assert wire.get().status == 200


@pytest.mark.parametrize("coding", ["length", "chunked", "close"])
def test_an_answer_that_is_too_long_to_throw_away_ends_its_connection(coding, gateway, upstream, tmp_path):
    count = DISCARD_BYTES_MAX + 1
    head = {
        "length": f"Content-Length: {count}",
        "chunked": "Transfer-Encoding: chunked",
        "close": "Connection: close",
    }[coding]
    body = b"x" * count if coding != "chunked" else b"%x\r\n%s\r\n" % (count, b"x" * count)

    def script(peer):
        peer.request()
        peer.send(f"HTTP/1.1 503 Full\r\n{head}\r\n\r\n".encode())
        try:
            peer.send(body)
        except OSError as error:
            raise Ended from error
        peer.wait_for_end()

    bad, good = upstream(script), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503]})
    with server.connect() as wire:
        assert wire.get().status == 200
        bad.wait_for_end(bad.requests[0].connection)
        assert wire.get().status == 200
    assert bad.requests[1].connection != bad.requests[0].connection


def test_an_answer_that_does_not_end_is_not_waited_for(gateway, upstream, tmp_path):
    def endless(peer):
        peer.request()
        peer.send(NO[:-1])
        peer.wait_for_end()

    bad, good = upstream(endless), upstream()
    server = in_order(gateway, tmp_path, [bad, good], {"on": [503]})
    with server.connect() as wire:
        assert wire.get().status == 200
        bad.wait_for_end(bad.requests[0].connection)
    # That is nothing that the endpoint is blamed for.
    labels = f'{{upstream="orders",endpoint="{bad.url}",reason="timeout"}}'
    assert server.metric("weir_upstream_failures_total" + labels) == 0
