# SPDX-License-Identifier: Apache-2.0
# The head of a response within its deadline, else 504; what flows longer becomes a stream, of which there are only so
# many.

import json
import threading

import pytest

from polling import eventually
from upstream import answer
from wire import request

CHUNKED = ["Transfer-Encoding: chunked"]
STREAMS = "weir_streams_active"
EXCEEDED = 'weir_rejected_total{reason="deadline_exceeded"}'


def silent(peer):
    peer.request()
    peer.wait_for_end()


def flowing(peer):
    """Sends a chunk whenever the test asks for one, until it has asked enough."""
    peer.request()
    peer.send(answer(b"", headers=CHUNKED, length=False))
    peer.upstream.peers.append(peer)
    peer.wait(peer.upstream.done)
    peer.send(b"0\r\n\r\n")


@pytest.fixture
def stream(upstream):
    endpoint = upstream(flowing)
    endpoint.peers, endpoint.done = [], threading.Event()
    yield endpoint
    endpoint.done.set()


def begin(server, endpoint):
    """Begins a response that flows."""
    count = len(endpoint.peers)
    wire = server.connect()
    wire.send(request())
    wire.read_until(b"\r\n\r\n")
    eventually(lambda: len(endpoint.peers) > count, "the script is there")
    return wire


def test_a_head_that_does_not_come_in_time_is_a_504(upstream, gateway):
    endpoint = upstream(silent)
    server = gateway(endpoint, WEIR_DEADLINE="200ms")
    with server.connect() as wire:
        for _ in range(2):
            reply = wire.get()
            assert (reply.status, reply.closes) == (504, False)
            assert reply.header("content-type") == "application/problem+json"
    # The endpoint learns that nobody waits any more.
    endpoint.wait_for_end(0)
    endpoint.wait_for_end(1)
    assert server.metric(EXCEEDED) == 2


def test_the_reason_is_in_the_access_log(upstream, gateway, tmp_path):
    log = tmp_path / "access.log"
    with gateway(upstream(silent), WEIR_DEADLINE="200ms", WEIR_ACCESS_LOG=log).connect() as wire:
        assert wire.get().status == 504
    text = eventually(lambda: log.exists() and log.read_text(), "a line")
    assert (json.loads(text)["status"], json.loads(text)["reason"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("head", [b"H", b"HTTP/1.1 200 OK\r\nContent-Len", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_part_of_a_head_is_none(upstream, gateway, head):
    def script(peer):
        peer.request()
        peer.send(head)
        peer.wait_for_end()

    with gateway(upstream(script), WEIR_DEADLINE="200ms").connect() as wire:
        assert wire.get().status == 504


def test_a_head_that_drips_is_no_way_around_the_deadline(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while True:
            peer.send(b"x")
            peer.upstream.tick.wait(0.02)

    endpoint = upstream(script)
    endpoint.tick = threading.Event()
    with gateway(endpoint, WEIR_DEADLINE="300ms").connect() as wire:
        assert wire.get().status == 504
    endpoint.wait_for_end(0)


def test_a_body_that_the_endpoint_does_not_take_ends_at_the_deadline(upstream, gateway):
    def script(peer):
        peer.head()
        peer.upstream.done.wait(5)

    endpoint = upstream(script, receive_buffer=4096)
    endpoint.done = threading.Event()
    with gateway(endpoint, WEIR_DEADLINE="400ms").connect() as wire:
        size = 64 << 20

        def send():
            try:
                wire.send(request("/", "POST", [f"Content-Length: {size}"], b"x" * size))
            except OSError:
                pass

        threading.Thread(target=send, daemon=True).start()
        assert wire.reply("POST").status == 504
    endpoint.done.set()


def test_a_body_that_still_flows_at_the_deadline_becomes_a_stream(stream, gateway):
    server = gateway(stream, WEIR_DEADLINE="200ms")
    with begin(server, stream) as wire:
        assert server.metric(STREAMS) == 0
        server.wait_for_metric(STREAMS, 1)
        stream.peers[0].send(b"4\r\nmore\r\n")
        wire.read_until(b"more\r\n")
        stream.done.set()
        wire.read_until(b"0\r\n\r\n")
        eventually(lambda: server.metric(STREAMS) == 0, "the stream is over")
        assert server.metric(EXCEEDED) == 0


def test_a_stream_counts_once_and_leaves_when_its_client_does(stream, gateway):
    server = gateway(stream, WEIR_DEADLINE="100ms")
    wires = [begin(server, stream) for _ in range(3)]
    server.wait_for_metric(STREAMS, 3)
    wires[0].close()
    wires[1].reset()
    eventually(lambda: server.metric(STREAMS) == 1, "two have left")
    wires[2].close()
    eventually(lambda: server.metric(STREAMS) == 0, "all have left")


def test_a_stream_whose_endpoint_breaks_off_leaves(stream, gateway):
    server = gateway(stream, WEIR_DEADLINE="100ms")
    with begin(server, stream) as wire:
        server.wait_for_metric(STREAMS, 1)
        stream.peers[0].reset()
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")
    eventually(lambda: server.metric(STREAMS) == 0, "it has left")


def test_there_are_as_many_streams_as_may_be(stream, gateway):
    server = gateway(stream, WEIR_DEADLINE="200ms", WEIR_STREAMS=2)
    wires = [begin(server, stream) for _ in range(2)]
    server.wait_for_metric(STREAMS, 2)
    with begin(server, stream) as third:
        assert not third.read_to_end().endswith(b"0\r\n\r\n")
    eventually(lambda: server.metric("weir_streams_cut_total") == 1, "it is counted")
    assert server.metric(STREAMS) == 2
    stream.done.set()
    for wire in wires:
        wire.read_until(b"0\r\n\r\n")
        wire.close()


def test_a_stream_on_which_nothing_comes_is_given_up(stream, gateway):
    server = gateway(stream, WEIR_DEADLINE="100ms", WEIR_UPSTREAM_TRANSFER_TIMEOUT="400ms")
    with begin(server, stream) as wire:
        server.wait_for_metric(STREAMS, 1)
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")
    eventually(lambda: server.metric(STREAMS) == 0, "it has left")


def test_a_stream_whose_client_takes_nothing_is_given_up(upstream, gateway):
    def script(peer):
        peer.request()
        peer.send(answer(b"", headers=CHUNKED, length=False))
        while True:
            peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_DEADLINE="100ms", WEIR_WRITE_TIMEOUT="500ms")
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request())
        server.wait_for_metric(STREAMS, 1)
        endpoint.wait_for_end(0)
        eventually(lambda: server.metric(STREAMS) == 0, "it has left")
        assert server.metric('weir_timeouts_total{kind="write"}') == 1
        assert server.metric("weir_buffer_bytes") < 1 << 20


def test_a_request_whose_body_stops_is_a_408(upstream, gateway):
    def script(peer):
        peer.head()
        peer.wait_for_end()

    endpoint = upstream(script)
    with gateway(endpoint, WEIR_BODY_TIMEOUT="300ms").connect() as wire:
        wire.send(request("/", "POST", ["Content-Length: 10"], b"x"))
        reply = wire.reply()
        assert (reply.status, reply.closes) == (408, True)
    endpoint.wait_for_end(0)
