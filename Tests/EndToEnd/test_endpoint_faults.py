# SPDX-License-Identifier: Apache-2.0
# Endpoints that die, stand still or fail while requests flow: what their clients see of it.

import pytest

from control import start
from load import CLIENTS, load
from upstream import answer, repeating
from wire import request

def test_of_three_endpoints_one_is_killed_and_no_get_fails(gateway, upstream_process):
    endpoints = [upstream_process() for _ in range(3)]
    server = gateway(*endpoints)
    with load(server) as running:
        running.wait_for(300)
        endpoints[1].kill()
        running.wait_for(600)
        assert set(running.stop()) == {200}


def test_of_three_endpoints_one_stands_still_and_fails_no_more_than_its_share_once(gateway, upstream_process):
    endpoints = [upstream_process() for _ in range(3)]
    server = gateway(*endpoints, WEIR_DEADLINE="1s")
    with load(server) as running:
        running.wait_for(300)
        endpoints[1].stop()
        # Each client can wait at it once, and one more may be there from before: then the others are preferred.
        running.wait_for(2000)
        failed = running.stop()
    del failed[200]
    assert set(failed) == {(504, "deadline_exceeded")}, "a client has waited at it"
    assert failed.total() <= 2 * CLIENTS
    endpoints[1].resume()


def test_an_endpoint_that_fails_beside_others_is_ejected(gateway, upstream, tmp_path):
    good = [upstream(), upstream()]
    bad = upstream(repeating(answer(b"no", status="502 Bad Gateway")))
    server = start(
        gateway,
        tmp_path,
        {"endpoints": [one.url for one in (*good, bad)], "balance": "round-robin", "ejection": {"time": "60s"}},
        # As many as it takes until it is noticed, on one connection.
        WEIR_KEEPALIVE_REQUESTS=1_000_000,
    )
    with server.connect() as wire:
        while not [message for message in server.messages if f"endpoint {bad.url} of upstream" in message]:
            assert wire.get().status in (200, 502)
        (message,) = [message for message in server.messages if f"endpoint {bad.url} of upstream" in message]
        assert message.endswith("is ejected")
        seen = len(bad.requests)
        assert {wire.get().status for _ in range(60)} == {200}
        assert len(bad.requests) == seen
    labels = f'{{upstream="orders",endpoint="{bad.url}"}}'
    assert server.metric("weir_upstream_endpoint_ejected" + labels) == 1
    assert server.metric("weir_upstream_endpoint_weight" + labels) == 0
    assert server.metric('weir_upstream_panicking{upstream="orders"}') == 0


def test_maglev_keeps_a_cookie_with_its_endpoint(gateway, upstream, tmp_path):
    endpoints = [upstream() for _ in range(3)]
    server = start(
        gateway,
        tmp_path,
        {"endpoints": [one.url for one in endpoints], "balance": "maglev", "hash": {"cookie": "session"}},
    )
    with server.connect() as wire:
        for _ in range(3):
            for session in range(24):
                wire.send(request(headers=[f"Cookie: theme=dark; session={session}; xsession=x"]))
                assert wire.reply().status == 200
    cookies = [[seen.header("cookie") for seen in one.requests] for one in endpoints]
    assert all(cookies), "each endpoint has some of them"
    assert all(one.count(cookie) == 3 for one in cookies for cookie in one)


@pytest.mark.parametrize("by, field", [({"header": "X-User"}, "x-user: {}"), ("client", "X-Forwarded-For: 192.0.2.{}")])
def test_maglev_keeps_a_header_or_a_client_with_its_endpoint(gateway, upstream, tmp_path, by, field):
    endpoints = [upstream() for _ in range(3)]
    configuration = {"endpoints": [one.url for one in endpoints], "balance": "maglev", "hash": by}
    # Who the client is is said by a proxy that is trusted.
    server = start(gateway, tmp_path, configuration, WEIR_TRUSTED_PROXIES="127.0.0.0/8")
    for turn in range(3):
        for number in range(24):
            with server.connect() as wire:
                wire.send(request(headers=[field.format(number), f"X-Number: {number}", f"X-Turn: {turn}"]))
                assert wire.reply().status == 200
    numbers = [[seen.header("x-number") for seen in one.requests] for one in endpoints]
    assert all(numbers), "each endpoint has some of them"
    assert all(one.count(number) == 3 for one in numbers for number in one)
