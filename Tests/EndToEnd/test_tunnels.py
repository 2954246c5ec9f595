# SPDX-License-Identifier: Apache-2.0
# Upgrades: after 101 the bytes of both sides pass as they are, until both have ended, nobody says anything, or the
# gateway stops.

import asyncio
import contextlib
import json
import os
import threading

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_websocket

from polling import PATIENCE_SECONDS, eventually
from upstream import answer, repeating
from wire import request

UPGRADE = ["Connection: Upgrade", "Upgrade: test"]
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\nX-Own: yes\r\n\r\n"
TUNNELS = "weir_tunnels_active"


def echoing(peer):
    """Takes the upgrade, and sends back what comes until the other side ends; then ends, too."""
    peer.request()
    peer.send(SWITCH + peer.rest)
    while data := peer.socket.recv(1 << 16):
        peer.send(data)


def upgraded(server, **options):
    wire = server.connect(**options)
    wire.send(request("/", headers=UPGRADE))
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    return wire


def read(wire, count):
    data = wire.rest
    while len(data) < count:
        piece = wire.socket.recv(1 << 16)
        assert piece, f"the tunnel ended after {len(data)} bytes"
        data += piece
    assert len(data) == count
    wire.rest = b""
    return data


# WebSocket, by a client and a server that nobody here wrote


class WebSocketServer:
    """An echo server on a thread of its own."""

    def __init__(self):
        self.port = None
        self.is_ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()
        assert self.is_ready.wait(PATIENCE_SECONDS)

    async def _echo(self, connection):
        if connection.request.path == "/close":
            await connection.close(4001, "because")
        async for message in connection:
            await connection.send(message)

    async def _run(self):
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        async with serve_websocket(self._echo, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.is_ready.set()
            await self.stopped.wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.thread.join(PATIENCE_SECONDS)


@pytest.fixture
def websocket_server():
    server = WebSocketServer()
    yield server
    server.close()


def websocket(server, path="/"):
    return connect(f"ws://127.0.0.1:{server.port}{path}", subprotocols=["chat"], max_size=None, proxy=None)


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            return await coroutine

    return asyncio.run(bounded())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 4_000_000])
def test_websocket_messages_pass_both_ways(websocket_server, gateway, size):
    server = gateway(websocket_server.url)

    async def talk():
        async with websocket(server) as client:
            assert client.subprotocol == "chat"
            for message in (os.urandom(size), "ü" * (size // 2)):
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping())

    run(talk())
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


def test_a_websocket_closes_with_its_own_code(websocket_server, gateway):
    server = gateway(websocket_server.url)

    async def talk():
        async with websocket(server, "/close") as client:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            return closed.value.rcvd.code, closed.value.rcvd.reason

    assert run(talk()) == (4001, "because")
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


def test_many_websockets_at_once(websocket_server, gateway):
    server = gateway(websocket_server.url, WEIR_LOOPS=2)

    async def talk(number):
        async with websocket(server) as client:
            for index in range(20):
                message = f"{number}:{index}" * 100
                await client.send(message)
                assert await client.recv() == message

    async def all():
        await asyncio.gather(*(talk(number) for number in range(50)))

    run(all())
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnels are over")
    assert server.metric("weir_streams_active") == 0


# The upgrade


def test_the_upgrade_is_passed_on_both_ways(upstream, gateway):
    endpoint = upstream(echoing)
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", headers=["Connection: keep-alive, Upgrade, X-Secret", "Upgrade: test", "X-Secret: a"]))
        head = wire.read_until(b"\r\n\r\n").lower()
        assert b"\r\nupgrade: test\r\n" in head and b"\r\nx-own: yes\r\n" in head
        assert b"\r\nconnection: upgrade\r\n" in head
        assert b"content-length" not in head and b"transfer-encoding" not in head
    (seen,) = endpoint.requests
    assert (seen.header("connection").lower(), seen.header("upgrade"), seen.header("x-secret")) == ("upgrade", "test", None)


def test_bytes_right_behind_the_heads_are_the_tunnels(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(SWITCH + b"from the server")
        assert peer.take(15) == b"from the client"
        peer.send(b"done")
        peer.wait_for_end()

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", headers=UPGRADE) + b"from the client")
        wire.read_until(b"\r\n\r\n")
        assert read(wire, 19) == b"from the serverdone"


def test_an_endpoint_that_declines_answers_as_ever(upstream, gateway):
    endpoint = upstream(repeating(answer(b"no")))
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            assert wire.get(headers=UPGRADE).body == b"no"
    assert len(endpoint.connections) == 1


@pytest.mark.parametrize("headers", [[], ["Upgrade: test"], ["Connection: upgrade"]])
def test_nobody_is_upgraded_who_did_not_ask(upstream, gateway, headers):
    def script(peer):
        peer.request()
        peer.send(SWITCH)
        peer.wait_for_end()

    with gateway(upstream(script)).connect() as wire:
        assert wire.get(headers=headers).status == 502


@pytest.mark.parametrize("asked, chosen", [
    ("test", "other"), ("test", "h2c"), ("test", "test, h2c"), ("test/1", "test/2"), ("test", ""), ("test", "te st"),
    ("\u212a", "k"), ("caf\u00e9", "cafe\u0301"),
    # Another HTTP is not asked for, so it is nobody's answer.
    ("h2c", "h2c"), ("H2C", "h2c"), ("HTTP/2.0", "HTTP/2.0"), ("test, h2c", "h2c"), ("test, h2c", "test"), ("h3", "h3"),
    ("TLS/1.0", "TLS/1.0"), ("tls/1.2, http/1.1", "tls/1.2, http/1.1"), ("h2c\u0301", "h2c\u0301"),
])  # fmt: skip
def test_nobody_is_upgraded_to_what_was_not_asked_for(upstream, gateway, asked, chosen):
    def switch(peer):
        peer.request()
        peer.send(f"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: {chosen}\r\n\r\nPRI".encode())
        peer.wait_for_end()

    # The connection that has switched serves nobody else.
    scripts = iter([switch, repeating(answer(b"well"))])
    with gateway(upstream(lambda peer: next(scripts)(peer))).connect() as wire:
        wire.send(request("/", headers=["Connection: upgrade", f"Upgrade: {asked}"]))
        reply = wire.reply()
        assert (reply.status, json.loads(reply.body)["reason"]) == (502, "upstream_malformed")
        assert wire.get().body == b"well"


@pytest.mark.parametrize("asked, chosen", [("Test", "tEST"), ("other, test/1", "test/1"), ("a,b , c", "c, a")])
def test_an_endpoint_chooses_among_what_was_asked_for(upstream, gateway, asked, chosen):
    def script(peer):
        assert peer.request().header("upgrade") == asked
        peer.send(f"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: {chosen}\r\n\r\n".encode())
        peer.wait_for_end()

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", headers=["Connection: upgrade", f"Upgrade: {asked}"]))
        head = wire.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and f"\r\nUpgrade: {chosen}\r\n".encode() in head


def test_an_http_1_0_client_cannot_upgrade(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get(headers=UPGRADE, version="1.0").status == 200
    assert endpoint.requests[0].header("upgrade") is None


@pytest.mark.parametrize("framing, body", [
    ("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
])  # fmt: skip
def test_nobody_is_upgraded_whose_request_has_a_body(upstream, gateway, framing, body):
    """To an endpoint with llhttp the body were what follows the upgrade, and so a request of its own."""
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", "POST", [*UPGRADE, framing], body))
        assert wire.reply().status == 200
    (seen,) = endpoint.requests
    assert (seen.body, seen.header("upgrade"), seen.header("connection")) == (b"hello", None, None)


def test_connect_is_no_way_through(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        # What is behind is not for us to read.
        wire.send(b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n" + request("/smuggled"))
        reply = wire.reply()
        assert (reply.status, reply.closes) == (501, True)
        wire.expect_end()
    assert endpoint.requests == []


# The tunnel


def test_megabytes_pass_both_ways_at_once(upstream, gateway):
    wire = upgraded(gateway(upstream(echoing)))
    data = os.urandom(1 << 20) * 8
    sender = threading.Thread(target=wire.send, args=(data,), daemon=True)
    sender.start()
    assert read(wire, len(data)) == data
    sender.join(PATIENCE_SECONDS)
    wire.close()


def test_a_side_that_does_not_read_holds_the_other_back(upstream, gateway):
    stop = threading.Event()

    def script(peer):
        peer.request()
        peer.send(SWITCH)
        with contextlib.suppress(TimeoutError):
            peer.socket.settimeout(0.5)
            while not stop.is_set():
                peer.upstream.sent += peer.socket.send(b"x" * 65536)
        peer.upstream.held.set()
        peer.socket.settimeout(PATIENCE_SECONDS)
        peer.wait_for_end()

    endpoint = upstream(script)
    endpoint.sent, endpoint.held = 0, threading.Event()
    server = gateway(endpoint)
    wire = upgraded(server, receive_buffer=4096)
    assert endpoint.held.wait(PATIENCE_SECONDS), "nobody held the sender back"
    assert server.metric("weir_buffer_bytes") < 1 << 20
    read(wire, endpoint.sent)
    wire.close()


def test_a_client_that_floods_is_held_back(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(SWITCH)
        peer.wait(peer.upstream.go)
        while len(peer.rest) < peer.upstream.sent:
            peer.receive()
        peer.send(b"all")

    endpoint = upstream(script, receive_buffer=4096)
    endpoint.sent, endpoint.go = 0, threading.Event()
    server = gateway(endpoint)
    wire = upgraded(server)
    wire.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while True:
            endpoint.sent += wire.socket.send(b"x" * 65536)
    assert server.metric("weir_buffer_bytes") < 1 << 20
    wire.socket.settimeout(PATIENCE_SECONDS)
    endpoint.go.set()
    assert read(wire, 3) == b"all"
    wire.close()


def test_the_clients_end_goes_through_while_the_endpoint_still_sends(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(SWITCH)
        assert peer.wait_for_end() == b"hello"
        peer.send(b"x" * 500_000)

    endpoint = upstream(script)
    server = gateway(endpoint)
    wire = upgraded(server)
    wire.send(b"hello")
    wire.end()
    assert read(wire, 500_000) == b"x" * 500_000
    wire.expect_end()
    wire.close()
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


def test_the_endpoints_end_goes_through_while_the_client_still_sends(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(SWITCH + b"bye")
        peer.end()
        peer.upstream.got = peer.wait_for_end()

    endpoint = upstream(script)
    server = gateway(endpoint)
    wire = upgraded(server)
    assert wire.read_to_end() == b"bye"
    wire.rest = b""
    wire.send(b"x" * 500_000)
    wire.close()
    endpoint.wait_for_end(0)
    assert endpoint.got == b"x" * 500_000
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_ends_the_tunnel(upstream, gateway, how):
    endpoint = upstream(echoing)
    server = gateway(endpoint)
    wire = upgraded(server)
    getattr(wire, how)()
    endpoint.wait_for_end(0)
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


def test_an_endpoint_that_resets_ends_the_tunnel(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(SWITCH)
        peer.take(1)
        peer.reset()

    server = gateway(upstream(script))
    wire = upgraded(server)
    wire.send(b"x")
    assert wire.read_to_end() == b""
    wire.close()
    eventually(lambda: server.metric(TUNNELS) == 0, "the tunnel is over")


def test_a_tunnel_on_which_nobody_says_anything_ends(upstream, gateway):
    endpoint = upstream(echoing)
    server = gateway(endpoint, WEIR_TUNNEL_TIMEOUT="300ms")
    wire = upgraded(server)
    wire.send(b"hello")
    assert read(wire, 5) == b"hello"
    assert wire.read_to_end() == b""
    endpoint.wait_for_end(0)
    assert server.metric('weir_timeouts_total{kind="tunnel"}') == 1
    assert server.metric(TUNNELS) == 0


@pytest.mark.parametrize("side", ["client", "endpoint"])
def test_a_tunnel_on_which_one_side_talks_goes_on(upstream, gateway, side):
    def script(peer):
        peer.request()
        peer.send(SWITCH)
        if side == "client":
            assert peer.take(20) == b"x" * 20
        else:
            for _ in range(20):
                peer.send(b"x")
                peer.upstream.tick.wait(0.1)
        peer.send(b"end")

    endpoint = upstream(script)
    endpoint.tick = threading.Event()
    # Ten times as long as the pause between two bytes, and half as long as all of them.
    wire = upgraded(gateway(endpoint, WEIR_TUNNEL_TIMEOUT="1s", WEIR_DEADLINE="500ms"))
    if side == "client":
        for _ in range(20):
            wire.send(b"x")
            endpoint.tick.wait(0.1)
    assert wire.read_to_end() == (b"end" if side == "client" else b"x" * 20 + b"end")
    wire.close()


def test_there_are_as_many_tunnels_as_may_be(upstream, gateway):
    endpoint = upstream(echoing)
    server = gateway(endpoint, WEIR_TUNNELS=2)
    with upgraded(server) as first, upgraded(server) as second:
        assert server.metric(TUNNELS) == 2
        with server.connect() as third:
            reply = third.get(headers=UPGRADE)
            assert (reply.status, reply.header("retry-after")) == (503, "1")
        assert server.metric('weir_rejected_total{reason="tunnels"}') == 1
        first.send(b"still there")
        assert read(first, 11) == b"still there"
        second.close()
        eventually(lambda: server.metric(TUNNELS) == 1, "one is over")
        upgraded(server).close()


def test_a_tunnel_that_ends_in_time_outlives_the_drain_and_exits_well(upstream, gateway):
    server = gateway(upstream(echoing), WEIR_DRAIN_TIMEOUT="20s")
    wire = upgraded(server)
    server.signal()
    server.wait_for_line("draining")
    for _ in range(3):
        wire.send(b"still there")
        assert read(wire, 11) == b"still there"
    assert server.process.poll() is None
    wire.close()
    assert server.wait() == 0
    assert "drained" in server.messages


def test_a_tunnel_that_does_not_end_is_cut_at_the_drain_timeout(upstream, gateway):
    server = gateway(upstream(echoing), WEIR_DRAIN_TIMEOUT="500ms")
    wire = upgraded(server)
    server.signal()
    assert wire.read_to_end() == b""
    assert server.wait() == 0
    assert "drain timed out" in server.messages
