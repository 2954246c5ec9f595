# SPDX-License-Identifier: Apache-2.0
# The gateway stops as an orchestrator stops it, under load, and no client sees a failed request.

import asyncio
import contextlib
import signal
import socket
import threading

import httpx
import pytest
import requests

from polling import PATIENCE_SECONDS, eventually
from upstream import answer
from wire import request


def slow(peer):
    """Answers after a moment, in two pieces."""
    while True:
        seen = peer.request()
        peer.upstream.tick.wait(0.02)
        peer.send(answer(headers=["Transfer-Encoding: chunked"], length=False, body=b"2\r\nok\r\n"))
        peer.upstream.tick.wait(0.02)
        peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(seen.target), seen.target.encode()))


@pytest.fixture
def endpoint(upstream):
    endpoint = upstream(slow)
    endpoint.tick = threading.Event()
    return endpoint


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_clients_see_no_failure_while_one_gateway_follows_another(endpoint, gateway):
    """As in a rollout: clients go where readiness sends them, a moment after the one they used was told to stop."""
    servers = [gateway(endpoint, WEIR_DRAIN_DELAY="1s", WEIR_DRAIN_TIMEOUT="10s")]
    stop, failures, counts = threading.Event(), [], []

    def ask(number):
        count = 0
        with requests.Session() as session:
            session.trust_env = False
            while not stop.is_set():
                count += 1
                try:
                    reply = session.get(f"{servers[-1].url}/{number}/{count}", timeout=PATIENCE_SECONDS)
                    if (reply.status_code, reply.text) != (200, f"ok/{number}/{count}"):
                        failures.append((number, count, reply.status_code, reply.text))
                except requests.RequestException as error:
                    failures.append((number, count, error))
        counts.append(count)

    clients = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    for client in clients:
        client.start()
    for _ in range(3):
        endpoint.wait_for_requests(len(endpoint.requests) + 30)
        old, new = servers[-1], gateway(endpoint, WEIR_DRAIN_DELAY="1s", WEIR_DRAIN_TIMEOUT="10s", WEIR_LOOPS=2)
        old.signal(signal.SIGTERM)
        # Whoever routes by readiness learns of it, and is still served meanwhile.
        eventually(lambda: old.process.poll() is not None or old.ask_admin("/readyz")[0] == 503, "readiness fails")
        endpoint.wait_for_requests(len(endpoint.requests) + 8)
        servers.append(new)
        assert old.wait() == 0
        assert "drained" in old.messages
    endpoint.wait_for_requests(len(endpoint.requests) + 30)
    stop.set()
    for client in clients:
        client.join(PATIENCE_SECONDS)
    assert failures == []
    assert sum(counts) == len(endpoint.requests) > 100


def test_requests_in_flight_are_answered_and_say_that_the_connection_closes(endpoint, gateway):
    server = gateway(endpoint, WEIR_DRAIN_TIMEOUT="10s")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(20)]
        for index, wire in enumerate(wires):
            wire.send(request(f"/{index}"))
        server.wait_for_metric("weir_requests_total", 20)
        server.signal()
        for index, wire in enumerate(wires):
            reply = wire.reply()
            assert (reply.status, reply.body) == (200, b"ok/%d" % index)
            wire.expect_end()
    assert server.wait() == 0


def test_a_client_with_many_requests_sees_none_fail(endpoint, gateway):
    """One asynchronous client, whose connections the drain takes one by one, and none in the middle."""
    server = gateway(endpoint, WEIR_DRAIN_DELAY="3s", WEIR_DRAIN_TIMEOUT="10s")
    statuses = []

    async def ask(client, number):
        reply = await client.get(f"{server.url}/{number}")
        assert reply.text == f"ok/{number}"
        statuses.append(reply.status_code)

    async def talk():
        limits = httpx.Limits(max_connections=10, max_keepalive_connections=10)
        async with httpx.AsyncClient(limits=limits, timeout=PATIENCE_SECONDS, trust_env=False) as client:
            tasks = [asyncio.create_task(ask(client, number)) for number in range(100)]
            while len(statuses) < 20:
                await asyncio.sleep(0.005)
            server.signal()
            await asyncio.gather(*tasks)

    asyncio.run(talk())
    assert statuses == [200] * 100
    assert server.wait() == 0


def test_bodies_in_flight_go_on_to_their_end(upstream, gateway):
    go = threading.Event()

    def script(peer):
        seen = peer.head()
        peer.send(answer(b"", headers=["Content-Length: 10"], length=False) + b"hello")
        peer.wait(go)
        peer.body(seen)
        peer.send(b"world")

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_DRAIN_TIMEOUT="10s")
    with server.connect() as wire:
        wire.send(request("/", "POST", ["Content-Length: 10"], b"hello"))
        wire.read_until(b"hello")
        server.signal()
        server.wait_for_line("draining")
        wire.send(b"world")
        go.set()
        assert wire.read_to_end() == b"world"
    assert endpoint.requests[0].body == b"helloworld"
    assert server.wait() == 0


def test_unused_connections_to_endpoints_do_not_hold_the_end_up(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_DRAIN_TIMEOUT="10s")
    with server.connect() as wire:
        assert wire.get().status == 200
    server.signal()
    assert server.wait(5) == 0
    endpoint.wait_for_end(0)


def test_a_request_whose_endpoint_never_answers_is_cut_at_the_drain_timeout(upstream, gateway):
    def script(peer):
        peer.request()
        peer.wait_for_end()

    server = gateway(upstream(script), WEIR_DRAIN_TIMEOUT="500ms")
    with server.connect() as wire:
        wire.send(request())
        server.wait_for_metric('weir_requests_executing{pool="pod"}', 1)
        server.signal()
        assert wire.read_to_end() == b""
    assert server.wait() == 0
    assert "drain timed out" in server.messages


def test_a_gateway_whose_endpoint_is_not_there_ends_well(gateway):
    for _ in range(5):
        server = gateway(f"http://127.0.0.1:{free_port()}")
        server.signal()
        assert server.wait() == 0


def test_many_starts_and_stops_leave_nothing_behind(upstream, gateway):
    endpoint = upstream()
    for _ in range(10):
        server = gateway(endpoint)
        with server.connect() as wire:
            assert wire.get().status == 200
        server.signal()
        assert server.wait() == 0
    eventually(lambda: endpoint.open_count == 0, "every connection is gone")
