# SPDX-License-Identifier: Apache-2.0
# How long a client waits, as its fields say it: the least counts, what is left goes on, and less with each retry.

import re
import threading
import time

import pytest

from upstream import answer
from wire import request

EXCEEDED = 'weir_rejected_total{reason="deadline_exceeded"}'
ENVOY = "x-envoy-expected-rq-timeout-ms"
OWN = "x-deadline"
GRPC_UNITS = {"H": 3600e3, "M": 60e3, "S": 1e3, "m": 1, "u": 1e-3, "n": 1e-6}


def silent(peer):
    peer.request()
    peer.wait_for_end()


def grpc_milliseconds(value):
    digits, unit = re.fullmatch(r"(\d{1,8})([HMSmun])", value).groups()
    return int(digits) * GRPC_UNITS[unit]


@pytest.mark.parametrize(
    "field",
    [
        "grpc-timeout: 100m",
        "GRPC-Timeout: 100000u",
        f"{ENVOY}: 100",
        f"{OWN}: 100",
        f"{OWN}: 100ms",
        f"X-Deadline: 0.1s",
    ],
)
def test_the_client_waits_no_longer_than_it_said(upstream, gateway, field):
    endpoint = upstream(silent)
    server = gateway(endpoint, WEIR_DEADLINE="1h", WEIR_DEADLINE_HEADER=OWN)
    with server.connect() as wire:
        reply = wire.get(headers=[field])
        assert (reply.status, reply.closes) == (504, False)
        assert b'"reason":"deadline_exceeded"' in reply.body
    endpoint.wait_for_end(0)
    assert server.metric(EXCEEDED) == 1


def test_the_least_of_all_counts(upstream, gateway):
    endpoint = upstream(silent)
    fields = ["grpc-timeout: 1H", f"{ENVOY}: 9000000", f"{ENVOY}: 200", f"{ENVOY}: 60000", f"{OWN}: 1h"]
    with gateway(endpoint, WEIR_DEADLINE="1h", WEIR_DEADLINE_HEADER=OWN).connect() as wire:
        assert wire.get(headers=fields).status == 504


def test_a_client_can_only_make_it_shorter(upstream, gateway):
    with gateway(upstream(silent), WEIR_DEADLINE="200ms").connect() as wire:
        assert wire.get(headers=["grpc-timeout: 1H"]).status == 504


@pytest.mark.parametrize("field", ["grpc-timeout: 0n", f"{ENVOY}: 0", f"{OWN}: 0s"])
def test_a_deadline_that_has_passed_is_answered_at_once(upstream, gateway, field):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_DEADLINE_HEADER=OWN)
    with server.connect() as wire:
        for _ in range(2):
            reply = wire.get(headers=[field])
            assert (reply.status, reply.closes) == (504, False)
            assert b'"reason":"deadline_exceeded"' in reply.body
        wire.send(request("/", "POST", [field, "Content-Length: 3"], b"abc"))
        assert wire.reply("POST").status == 504
        assert wire.get("/after").status == 200
    assert endpoint.targets == ["/after"]
    assert server.metric(EXCEEDED) == 3


@pytest.mark.parametrize(
    "field",
    ["grpc-timeout: 0", "grpc-timeout: -1S", "grpc-timeout: 0s", f"{ENVOY}: -1", f"{ENVOY}: 0ms", f"{OWN}: soon", f"{OWN}:"],
)
def test_what_is_malformed_is_no_deadline(upstream, gateway, field):
    endpoint = upstream()
    with gateway(endpoint, WEIR_DEADLINE="9s", WEIR_DEADLINE_HEADER=OWN).connect() as wire:
        assert wire.get(headers=[field]).status == 200
    # What the gateway itself knows takes its place.
    name = field.split(":")[0]
    value = endpoint.requests[0].header(name)
    left = grpc_milliseconds(value) if name == "grpc-timeout" else int(value)
    assert 8000 < left <= 9000


def test_what_is_left_goes_on_in_the_fields_that_the_client_used(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_DEADLINE="9s")
    with server.connect() as wire:
        wire.get(headers=["X-Before: 1", "grpc-timeout: 5S", "X-After: 2"])
        wire.get(headers=[f"{ENVOY}: 7000", f"{ENVOY}: 6000"])
        wire.get(headers=["x-deadline: 3s"])
        wire.get()
    grpc, envoy, unknown, none = endpoint.requests
    assert 4000 < grpc_milliseconds(grpc.header("grpc-timeout")) <= 5000
    assert (grpc.header("x-before"), grpc.header("x-after"), grpc.header(ENVOY)) == ("1", "2", None)
    assert 5000 < int(envoy.header(ENVOY)) <= 6000
    assert (unknown.header("x-deadline"), unknown.header("grpc-timeout"), unknown.header(ENVOY)) == ("3s", None, None)
    assert (none.header("grpc-timeout"), none.header(ENVOY)) == (None, None)


def test_the_field_of_the_setting_always_goes_on(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint, WEIR_DEADLINE="9s", WEIR_DEADLINE_HEADER="X-Deadline").connect() as wire:
        wire.get()
        wire.get(headers=["X-DEADLINE: 2s", "Connection: x-deadline"])
        wire.get(headers=[f"{ENVOY}: 4000"])
    route, own, envoy = endpoint.requests
    assert 8000 < int(route.header(OWN)) <= 9000
    assert 1000 < int(own.header(OWN)) <= 2000
    assert 3000 < int(envoy.header(OWN)) <= 4000
    assert 3000 < int(envoy.header(ENVOY)) <= 4000


def test_a_head_that_comes_again_has_its_whole_deadline_again(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            assert wire.get(headers=[f"{ENVOY}: 5000"]).status == 200
    assert all(4000 < int(one.header(ENVOY)) <= 5000 for one in endpoint.requests)


def test_a_retry_has_what_is_left_then(upstream, gateway):
    # Kept connections that are closed as soon as the second request is on them, after a while.
    def script(peer):
        peer.request()
        peer.send(answer())
        peer.request()
        if peer.number == 0:
            time.sleep(0.3)
            return
        peer.send(answer())

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_DEADLINE_HEADER=OWN)
    with server.connect() as wire:
        assert wire.get("/first").status == 200
        assert wire.get("/again", headers=[f"{ENVOY}: 5000"]).status == 200
    first, again, retried = endpoint.requests
    assert [one.target for one in (again, retried)] == ["/again", "/again"]
    for name in (ENVOY, OWN):
        assert int(again.header(name)) - int(retried.header(name)) >= 299
        assert int(retried.header(name)) > 3000


def test_a_request_that_waited_for_a_connection_has_what_is_left_then(upstream, gateway):
    def script(peer):
        while True:
            one = peer.request()
            if one.target == "/slow":
                peer.wait(peer.upstream.go)
            peer.send(answer())

    endpoint = upstream(script)
    endpoint.go = threading.Event()
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=1)
    with server.connect() as first, server.connect() as second:
        first.send(request("/slow"))
        endpoint.wait_for_requests(1)
        second.send(request("/waits", headers=[f"{ENVOY}: 5000"]))
        server.wait_for_metric('weir_requests_executing{pool="pod"}', 2)
        time.sleep(0.2)
        endpoint.go.set()
        assert second.reply().status == 200
    assert int(endpoint.requests[1].header(ENVOY)) <= 4800


def test_a_body_does_not_put_the_clients_deadline_off(upstream, gateway):
    endpoint = upstream(silent)
    with gateway(endpoint, WEIR_DEADLINE="1h").connect() as wire:
        begun = time.monotonic()
        wire.send(request("/", "POST", [f"{ENVOY}: 300", "Content-Length: 80"], b""))
        for _ in range(20):
            time.sleep(0.01)
            wire.send(b"x")
        assert wire.reply("POST").status == 504
        assert time.monotonic() - begun < 5


def test_a_handler_has_the_clients_deadline(serve):
    with serve(WEIR_DEADLINE="1h").connect() as wire:
        assert wire.get("/sleep?ms=3600000", headers=["grpc-timeout: 100m"]).status == 504
        assert wire.get("/hello", headers=["grpc-timeout: 0n"]).status == 504
        assert wire.get("/hello", headers=["grpc-timeout: 5S"]).status == 200
