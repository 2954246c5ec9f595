# SPDX-License-Identifier: Apache-2.0
# Rate limits of the settings, over real sockets: whom they count, what a refusal says, and where it is seen.

import json
import subprocess

import pytest

from admission import expect_quiet, pool, rejected
from server import run_to_failure
from wire import request

PROBLEM = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def statuses(server, requests):
    """The status of each, on a connection of its own."""
    found = []
    for one in requests:
        with server.connect() as wire:
            wire.send(one)
            found.append(wire.reply().status)
    return found


# A third of a day brings the next; a full window has passed, and a third of it behind it, before there is room again.
@pytest.mark.parametrize("algorithm, wait", [("gcra", 28800), ("token-bucket", 28800), ("sliding-window", 115200)])
@pytest.mark.parametrize("target", ["/hello", "/async", "/blocking"])
def test_beyond_a_limit_the_answer_is_429_and_the_connection_goes_on(serve, algorithm, wait, target):
    server = serve(WEIR_RATE_LIMIT=f"3/d;algorithm={algorithm}")
    with server.connect() as wire:
        assert [wire.get(target).status for _ in range(3)] == [200] * 3
        reply = wire.get(target, headers=["X-Request-Id: mine"])
        assert (reply.status, reply.closes) == (429, False)
        assert wait - 60 <= int(reply.header("retry-after")) <= wait
        problem = json.loads(reply.body)
        assert (problem["type"], problem["reason"], problem["request_id"]) == (PROBLEM, "rate_limited", "mine")
        assert wire.get(target).status == 429
    assert rejected(server, "rate_limited") == 2
    # What a limit refused has not asked to run.
    assert pool(server, "requests_arrived_total") == 3
    assert server.metric("weir_requests_total") == 5
    expect_quiet(server)


def test_a_refusal_does_not_wait_for_the_body_that_follows(serve):
    server = serve(WEIR_RATE_LIMIT="1/d")
    with server.connect() as wire:
        assert wire.get().status == 200
        wire.send(request("/echo", "POST", ["Content-Length: 5"], b"body!") + request())
        assert [wire.reply().status, wire.reply().status] == [429, 429]
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Content-Length: 5", "Expect: 100-continue"]))
        reply = wire.reply()
        assert (reply.status, reply.closes, reply.informational) == (429, True, [])
    with server.connect() as wire:
        wire.send(request("/echo", "POST", [f"Content-Length: {1 << 30}"]))
        reply = wire.reply()
        assert (reply.status, reply.closes) == (429, True)
    expect_quiet(server)


def forwarded(address):
    return request(headers=[f"X-Forwarded-For: {address}"])


def test_a_limit_by_client_counts_whom_trusted_proxies_name(serve):
    server = serve(WEIR_RATE_LIMIT="1/d;by=client", WEIR_TRUSTED_PROXIES="loopback")
    asked = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.2"]
    assert statuses(server, map(forwarded, asked)) == [200, 429, 200, 200, 429, 200, 429]
    assert server.metric('weir_rate_limit_keys{limit="client",index="0"}') == 4


def test_a_limit_by_client_believes_nobody_else(serve):
    server = serve(WEIR_RATE_LIMIT="1/d;by=client")
    assert statuses(server, map(forwarded, ["192.0.2.1", "192.0.2.2"])) == [200, 429]


def test_several_limits_hold_together_and_one_that_refuses_charges_none(serve):
    server = serve(WEIR_RATE_LIMIT="3/d,1/d;by=header:X-Key")
    keys = ["a", "a", "a", "a", "a", "b", "c", "d"]
    asked = [request(headers=[f"X-Key: {key}"]) for key in keys]
    assert statuses(server, asked) == [200, 429, 429, 429, 429, 200, 200, 429]
    assert rejected(server, "rate_limited") == 5


@pytest.mark.parametrize(
    "by, asked, expected",
    [
        (
            "host",
            [request(host=host) for host in ("a.example", "A.example:80", "b.example")],
            [200, 429, 200],
        ),
        ("route", [request(), request("/async"), request("/async?x=1"), request("/hello?x=1")], [200, 200, 429, 429]),
        (
            "param:id",
            [request(f"/users/{user}/orders/{order}") for user, order in ((1, 1), (1, 2), (2, 1), ("%31", 3))]
            + [request(), request()],
            [200, 429, 200, 429, 200, 200],
        ),
    ],
)
def test_what_a_limit_counts_by(serve, by, asked, expected):
    assert statuses(serve(WEIR_RATE_LIMIT=f"1/d;by={by}"), asked) == expected


def test_two_loops_count_as_one(serve):
    server = serve(WEIR_RATE_LIMIT="20/d", WEIR_LOOPS=2)
    found = statuses(server, [request()] * 60)
    assert found.count(200) == 20 and found.count(429) == 40
    assert found == sorted(found)


def test_a_limit_of_the_cluster_is_divided(serve):
    server = serve(WEIR_RATE_LIMIT="9/d", WEIR_RATE_LIMIT_SCOPE="cluster", WEIR_REPLICAS=3)
    assert statuses(server, [request()] * 4) == [200, 200, 200, 429]


def test_the_gateway_limits_before_it_asks_an_endpoint(gateway, upstream):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_RATE_LIMIT="2/d")
    assert statuses(server, [request("/a"), request("/b"), request("/c")]) == [200, 200, 429]
    assert endpoint.targets == ["/a", "/b"]
    expect_quiet(server)


def test_probes_are_not_limited_and_refusals_are_in_the_access_log(serve):
    server = serve(WEIR_RATE_LIMIT="1/d", WEIR_ACCESS_LOG="stdout", stdout=subprocess.PIPE)
    assert statuses(server, [request()] * 3) == [200, 429, 429]
    for _ in range(5):
        assert server.ask_admin("/readyz")[0] == 200
    server.signal()
    lines = [json.loads(line) for line in server.process.stdout.read().splitlines()]
    server.process.stdout.close()
    assert [line.get("reason") for line in lines].count("rate_limited") == 2


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("WEIR_RATE_LIMIT", "100/s;by=moon", "moon"),
        ("WEIR_CONCURRENCY", "0", "from 1 to 1000000"),
        ("WEIR_QUEUE", "many", "from 0 to 1000000"),
        ("WEIR_MEMORY_CRITICAL", "20", "a share not below that for sheddable requests"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(name, value, expected):
    code, lines = run_to_failure({name: value})
    assert code == 78
    assert len(lines) == 1 and name in lines[0] and expected in lines[0]
