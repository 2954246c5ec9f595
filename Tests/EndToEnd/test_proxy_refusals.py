# SPDX-License-Identifier: Apache-2.0
# What two parsers could read differently is refused before any endpoint has seen it.

import pytest

from test_refusals import BODIES, HEADS, SMUGGLED, head
from wire import request


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_never_reaches_an_endpoint(upstream, gateway, name):
    endpoint = upstream()
    status, text = HEADS[name]
    server = gateway(endpoint)
    for before, count in ((b"", 0), (request("/honest"), 1)):
        with server.connect() as wire:
            wire.send(before + text + SMUGGLED)
            for _ in range(count):
                assert wire.reply().status == 200
            reply = wire.reply()
            assert (reply.status, reply.closes) == (status, True)
            wire.expect_end()
    assert endpoint.targets == ["/honest"]


@pytest.mark.parametrize("name", BODIES)
def test_an_ambiguous_body_is_broken_off_at_the_endpoint(upstream, gateway, name):
    """The endpoint may have seen the head; what it sees of the body must never look whole, nor be followed by a request."""
    seen = []

    def script(peer):
        peer.head()
        seen.append(peer.wait_for_end())

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        wire.send(head(b"Transfer-Encoding: chunked", method=b"POST") + BODIES[name] + SMUGGLED)
        reply = wire.reply()
        assert (reply.status, reply.closes) == (400, True)
        wire.expect_end()
    endpoint.wait_for_end(0)
    assert len(endpoint.requests) <= 1
    for body in seen:
        assert not body.endswith(b"0\r\n\r\n") and b"smuggled" not in body and b"HTTP/" not in body


@pytest.mark.parametrize("target", ["http://other/", "http://test:81/"])
def test_two_hosts_never_reach_an_endpoint(upstream, gateway, target):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get(target).status == 400
    assert endpoint.requests == []


def test_the_asterisk_is_the_gateways_own(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get("*", method="OPTIONS").status == 204
    assert endpoint.requests == []
