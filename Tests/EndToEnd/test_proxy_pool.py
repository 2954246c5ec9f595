# SPDX-License-Identifier: Apache-2.0
# Connections to endpoints: kept, bounded, shared by weights, and what becomes of requests when an endpoint is not there,
# is killed, stands still or comes back.

import contextlib
import json
import select
import signal
import threading

import pytest

from polling import eventually
from upstream import Ended, answer, replying, serve_all, unused_port
from wire import request

RETRIES = "weir_upstream_retries_total"
NO_ENDPOINT = 'weir_rejected_total{reason="no_endpoint"}'


def holding(peer):
    """Answers a request when the test says so: `endpoint.go` is set."""
    while True:
        peer.request()
        peer.wait(peer.upstream.go)
        peer.send(answer(str(peer.number).encode()))


@contextlib.contextmanager
def wires(server, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.connect()) for _ in range(count)]


# Kept connections


def test_one_connection_serves_many_clients_one_after_the_other(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint)
    for _ in range(20):
        with server.connect() as wire:
            for _ in range(5):
                assert wire.get().status == 200
    assert len(endpoint.connections) == 1
    assert len(endpoint.requests) == 100


def test_the_newest_unused_connection_is_taken_first(upstream, gateway):
    endpoint = upstream(holding)
    endpoint.go = threading.Event()
    server = gateway(endpoint)
    with wires(server, 3) as (first, second, third):
        for index, wire in enumerate((first, second, third)):
            wire.send(request(f"/{index}"))
            endpoint.wait_for_requests(index + 1)
        endpoint.go.set()
        used = {wire.reply().body for wire in (second, third, first)}
        assert used == {b"0", b"1", b"2"}
        # Which one was given back last cannot be seen from outside; that it is taken again and again can.
        again = {first.get().body for _ in range(10)}
        assert len(again) == 1
    assert len(endpoint.connections) == 3


def test_an_unused_connection_is_closed_after_its_time(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_UPSTREAM_IDLE_TIMEOUT="200ms")
    with server.connect() as wire:
        assert wire.get().status == 200
        endpoint.wait_for_end(0)
        assert wire.get().status == 200
    assert [seen.connection for seen in endpoint.requests] == [0, 1]


def test_a_connection_in_use_is_not_closed_for_being_idle(upstream, gateway):
    endpoint = upstream(holding)
    endpoint.go = threading.Event()
    server = gateway(endpoint, WEIR_UPSTREAM_IDLE_TIMEOUT="100ms", WEIR_UPSTREAM_TRANSFER_TIMEOUT="100ms")
    with server.connect() as wire:
        wire.send(request())
        endpoint.wait_for_requests(1)
        # Thinking is not being idle, and the deadline's business.
        assert not endpoint.go.wait(0.5)
        endpoint.go.set()
        assert wire.reply().status == 200


@pytest.mark.parametrize("loops", [1, 2])
def test_there_are_no_more_connections_than_may_be(upstream, gateway, loops):
    counts, over = [], threading.Event()

    def script(peer):
        # The gateway ends one connection before it opens another in its place: the end is here already, whatever the
        # threads of these scripts have learnt of it.
        ends = select.poll()
        for other in peer.upstream.connections[: peer.number + 1]:
            ends.register(other.socket, select.POLLRDHUP)
        counts.append(peer.number + 1 - len(ends.poll(0)))
        with contextlib.suppress(Ended, ConnectionResetError):
            serve_all(peer)
        # Until then its descriptor is nobody else's.
        peer.wait(over)

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=3, WEIR_LOOPS=loops)
    with wires(server, 40) as clients:
        for _ in range(5):
            for wire in clients:
                wire.send(request())
            assert {wire.reply().status for wire in clients} == {200}
    assert len(endpoint.requests) == 200
    over.set()
    assert max(counts) <= 3


def test_requests_wait_for_a_connection_in_their_order(upstream, gateway):
    endpoint = upstream(holding)
    endpoint.go = threading.Event()
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=1)
    with wires(server, 10) as clients:
        for index, wire in enumerate(clients):
            wire.send(request(f"/{index}"))
            server.wait_for_metric("weir_requests_total", index + 1)
        endpoint.wait_for_requests(1)
        endpoint.go.set()
        assert {wire.reply().status for wire in clients} == {200}
    assert endpoint.targets == [f"/{index}" for index in range(10)]
    assert len(endpoint.connections) == 1


def test_one_more_than_may_wait_is_answered_503(upstream, gateway):
    endpoint = upstream(holding)
    endpoint.go = threading.Event()
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=1, WEIR_UPSTREAM_WAITING=2)
    with wires(server, 3) as clients, server.connect() as late:
        for index, wire in enumerate(clients):
            wire.send(request())
            server.wait_for_metric("weir_requests_total", index + 1)
        reply = late.get()
        assert (reply.status, reply.header("retry-after"), reply.closes) == (503, "1", False)
        assert json.loads(reply.body)["reason"] == "no_endpoint"
        endpoint.go.set()
        assert {wire.reply().status for wire in clients} == {200}
        assert late.get().status == 200
    assert server.metric(NO_ENDPOINT) == 1


def test_who_waits_for_a_connection_waits_until_the_deadline(upstream, gateway):
    def script(peer):
        if peer.request().header("upgrade"):
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n")
            peer.wait_for_end()
        else:
            peer.send(answer())

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=1, WEIR_DEADLINE="300ms")
    with server.connect() as tunnel, server.connect() as wire:
        tunnel.send(request("/tunnel", headers=["Connection: upgrade", "Upgrade: test"]))
        tunnel.read_until(b"\r\n\r\n")
        assert wire.get("/waits").status == 504
        tunnel.close()
        endpoint.wait_for_end(0)
        assert wire.get("/next").status == 200
    assert endpoint.targets == ["/tunnel", "/next"]


def test_who_goes_away_while_waiting_is_not_sent(upstream, gateway):
    endpoint = upstream(holding)
    endpoint.go = threading.Event()
    server = gateway(endpoint, WEIR_UPSTREAM_CONNECTIONS=1)
    with wires(server, 3) as (first, second, third):
        for index, wire in enumerate((first, second, third)):
            wire.send(request(f"/{index}"))
            server.wait_for_metric("weir_requests_total", index + 1)
        second.close()
        eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 2, "it is given up")
        endpoint.go.set()
        assert [first.reply().status, third.reply().status] == [200, 200]
    assert endpoint.targets == ["/0", "/2"]


# Several endpoints


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, 1], [3, 1], [5, 2, 1], [1, 100]])
def test_requests_go_to_endpoints_as_often_as_their_weights_say(upstream, gateway, weights):
    endpoints = [upstream() for _ in weights]
    server = gateway(
        *endpoints,
        WEIR_UPSTREAM=",".join(f"{one.url};weight={w}" for one, w in zip(endpoints, weights)),
        WEIR_UPSTREAM_BALANCE="round-robin",
    )
    rounds = 200 // sum(weights) or 1
    with server.connect() as wire:
        for _ in range(rounds * sum(weights)):
            assert wire.get().status == 200
    assert [len(one.requests) for one in endpoints] == [rounds * weight for weight in weights]


def test_weights_are_spread_and_not_bunched(upstream, gateway):
    endpoints = [upstream(), upstream()]
    urls = f"{endpoints[0].url};weight=3,{endpoints[1].url};weight=3"
    server = gateway(*endpoints, WEIR_UPSTREAM=urls, WEIR_UPSTREAM_BALANCE="round-robin")
    with server.connect() as wire:
        for count in range(1, 13):
            assert wire.get().status == 200
            assert abs(len(endpoints[0].requests) - len(endpoints[1].requests)) <= 1, count


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("weight", [1, 5])
def test_an_endpoint_that_refuses_connections_costs_no_request(upstream, gateway, method, weight):
    endpoint = upstream()
    dead = f"http://127.0.0.1:{unused_port()};weight={weight}"
    server = gateway(dead, endpoint)
    with server.connect() as wire:
        for _ in range(20):
            assert wire.get(method=method).status == 200
    assert len(endpoint.requests) == 20
    # Then it is known to fail, and left alone.
    assert 1 <= server.metric(RETRIES) <= 10


def test_a_body_comes_along_to_the_endpoint_that_is_there(upstream, gateway):
    endpoint = upstream()
    server = gateway(f"http://127.0.0.1:{unused_port()};weight=3", endpoint)
    body = b"x" * 300_000
    with server.connect() as wire:
        for _ in range(8):
            wire.send(request("/", "POST", [f"Content-Length: {len(body)}"], body))
            assert wire.reply().status == 200
    assert [seen.body for seen in endpoint.requests] == [body] * 8


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.3", "127.0.0.1"]])
def test_a_name_with_an_address_that_refuses_costs_no_request(upstream, gateway, tmp_path, method, addresses):
    """The addresses of a name take turns, and only the last one here is listened on."""
    (tmp_path / "hosts").write_text("".join(f"{address} orders.test\n" for address in addresses))
    endpoint = upstream()
    server = gateway(endpoint, hosts=tmp_path / "hosts", WEIR_UPSTREAM=f"http://orders.test:{endpoint.port}")
    with server.connect() as wire:
        for _ in range(10):
            # Each needs a connection of its own.
            assert wire.get(method=method).status == 200
            endpoint.end_connections()
    assert endpoint.requests[0].header("host") == "test"
    assert len(endpoint.requests) == 10


def test_where_no_endpoint_is_there_it_is_a_502_and_each_is_tried(gateway):
    server = gateway(*(f"http://127.0.0.1:{unused_port()}" for _ in range(3)))
    with server.connect() as wire:
        assert wire.get().status == 502
    assert server.metric(RETRIES) == 2


def test_a_full_endpoint_leaves_requests_to_the_others(upstream, gateway):
    slow, fast = upstream(holding), upstream()
    slow.go = threading.Event()
    server = gateway(slow, fast, WEIR_UPSTREAM_CONNECTIONS=1)
    with server.connect() as stuck, server.connect() as wire:
        stuck.send(request("/stuck"))
        server.wait_for_metric("weir_requests_total", 1)
        if not slow.requests:
            # It was the other's turn.
            eventually(lambda: slow.requests or fast.requests, "it is somewhere")
        if slow.requests:
            for _ in range(10):
                assert wire.get().status == 200
            assert len(fast.requests) == 10
        slow.go.set()
        assert stuck.reply().status == 200


# Connections that end between two requests


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_kept_connection_that_ends_as_the_request_comes_costs_no_request(upstream, gateway, how, method):
    """The endpoint takes the request and ends the connection without an answer, as one whose idle time is over may."""
    served = []

    def script(peer):
        while True:
            seen = peer.request()
            if peer.number == 0 and seen.number == 1:
                return peer.reset() if how == "reset" else None
            served.append(seen.target)
            peer.send(answer(b"" if method == "HEAD" else b"ok"))

    endpoint = upstream(script)
    server = gateway(endpoint)
    with server.connect() as wire:
        for index in range(3):
            assert wire.get(f"/{index}", method=method).status == 200
    assert served == ["/0", "/1", "/2"]
    assert server.metric(RETRIES) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PROPFIND"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_that_may_have_been_carried_out_is_not_sent_twice(upstream, gateway, method, how):
    def script(peer):
        while True:
            seen = peer.request()
            if seen.target == "/once":
                return peer.reset() if how == "reset" else None
            peer.send(answer())

    endpoint = upstream(script)
    server = gateway(endpoint)
    with server.connect() as wire:
        assert wire.get("/", method=method).status == 200
        assert wire.get("/once", method=method).status == 502
        assert wire.get("/", method=method).status == 200
    assert endpoint.targets == ["/", "/once", "/"]
    assert server.metric(RETRIES) == 0


def test_a_body_that_has_begun_to_flow_is_not_sent_twice(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(answer())
        peer.head()
        peer.reset()

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        assert wire.get("/").status == 200
        wire.send(request("/once", "PUT", ["Content-Length: 5"], b"hello"))
        assert wire.reply().status == 502
    assert endpoint.targets == ["/", "/once"]


def test_an_endpoint_that_closes_after_each_answer_costs_no_request(upstream, gateway):
    """It says nothing of it, so each request finds a connection that is closed or about to be."""
    endpoint = upstream(replying(answer()))
    server = gateway(endpoint)
    with server.connect() as wire:
        for _ in range(200):
            assert wire.get().status == 200


def test_an_endpoint_that_comes_back_costs_no_request(upstream_process, gateway):
    process = upstream_process()
    server = gateway(process)
    with wires(server, 8) as clients:
        for _ in range(3):
            for wire in clients:
                wire.send(request())
            assert {wire.reply().body for wire in clients} == {str(process.process.pid).encode()}
            process.restart()
        for method in ("POST", "GET"):
            for wire in clients:
                wire.send(request(method=method, headers=["Content-Length: 0"]))
            assert {wire.reply().status for wire in clients} == {200}


def test_an_endpoint_that_is_killed_costs_only_what_it_was_at(upstream_process, upstream, gateway):
    process, endpoint = upstream_process(), upstream()
    server = gateway(process, endpoint, WEIR_UPSTREAM_BALANCE="round-robin")
    with server.connect() as wire:
        for _ in range(10):
            assert wire.get().status == 200
        process.kill()
        for _ in range(40):
            assert wire.get().status == 200
    assert len(endpoint.requests) == 45


def test_an_endpoint_that_stands_still_is_given_up_at_the_deadline(upstream_process, gateway):
    process = upstream_process()
    server = gateway(process, WEIR_DEADLINE="400ms")
    with server.connect() as wire, server.connect() as other:
        assert wire.get().status == 200
        process.stop()
        wire.send(request())
        other.send(request())
        assert (wire.reply().status, other.reply().status) == (504, 504)
        process.resume()
        assert wire.get().status == 200
        assert other.get().status == 200
    assert server.metric('weir_timeouts_total{kind="deadline"}') == 2


def test_an_endpoint_that_stands_still_takes_no_memory(upstream_process, gateway):
    process = upstream_process()
    server = gateway(process, WEIR_DEADLINE="2s")
    with server.connect() as wire:
        assert wire.get().status == 200
        process.stop()
        wire.send(request("/", "POST", [f"Content-Length: {100 << 20}"]))
        wire.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100 << 20:
                sent += wire.socket.send(b"x" * 65536)
        # What the kernel's buffers of both connections take, and no more.
        assert sent < 50 << 20
        assert server.metric("weir_buffer_bytes") < 1 << 20
        wire.socket.settimeout(10)
        assert wire.reply("POST").status == 504
        process.resume()


def test_an_endpoint_that_stops_within_its_response_is_given_up(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(answer(b"x" * 100)[:-50])
        peer.wait_for_end()

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_UPSTREAM_TRANSFER_TIMEOUT="300ms")
    with server.connect() as wire:
        wire.send(request())
        assert wire.read_to_end().endswith(b"x" * 50)
    endpoint.wait_for_end(0)


def test_requests_reach_both_loops_endpoints_alike(upstream, gateway):
    endpoints = [upstream(), upstream()]
    server = gateway(*endpoints, WEIR_LOOPS=2, WEIR_UPSTREAM_BALANCE="round-robin")
    with wires(server, 16) as clients:
        for _ in range(10):
            for wire in clients:
                wire.send(request())
            assert {wire.reply().status for wire in clients} == {200}
    assert [len(one.requests) for one in endpoints] == [80, 80]
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
