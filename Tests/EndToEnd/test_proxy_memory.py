# SPDX-License-Identifier: Apache-2.0
# Bodies of any size at the pace of the slower side: the gateway's memory does not grow with them.

import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from polling import eventually
from upstream import answer, repeating
from wire import request

pytestmark = pytest.mark.release

SIZE = 200 << 20
BLOCK = b"x" * (1 << 20)
# What may come on top of what it had before: windows and buffers of a few connections, and the allocator's slack.
GROWTH_MAX = 24 << 20
CHUNKED = ["Transfer-Encoding: chunked"]


def resident(server):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text(), re.M)[1]) << 10


class Peak:
    """The most memory while something runs, and the most bytes in its buffers."""

    def __init__(self, server):
        self.server, self.done = server, threading.Event()
        self.before = self.most = resident(server)
        self.buffered = 0
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.done.wait(0.02):
            self.most = max(self.most, resident(self.server))
            self.buffered = max(self.buffered, self.server.metric("weir_buffer_bytes"))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def check(self):
        assert self.most - self.before < GROWTH_MAX
        assert self.buffered < 4 << 20


def send_body(send, is_chunked):
    for _ in range(SIZE // len(BLOCK)):
        send(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if is_chunked else BLOCK)
    if is_chunked:
        send(b"0\r\n\r\n")


def discard(receive, count, pauses):
    """Takes `count` bytes without keeping them, with a rest after each 10 MiB: the other side is always faster."""
    memory = bytearray(1 << 20)
    rest = 10 << 20
    while count > 0:
        got = receive(memory, min(len(memory), count))
        assert got, f"{count} bytes are missing"
        count, rest = count - got, rest - got
        if pauses and rest < 0:
            time.sleep(0.05)
            rest = 10 << 20


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_long_response_to_a_slow_reader(upstream, gateway, is_chunked):
    def script(peer):
        peer.request()
        peer.send(answer(b"", headers=CHUNKED if is_chunked else [f"Content-Length: {SIZE}"], length=False))
        send_body(peer.send, is_chunked)

    server = gateway(upstream(script))
    with server.connect() as warm:
        assert warm.get("*", method="OPTIONS").status == 204
    with Peak(server) as peak, server.connect(receive_buffer=65536) as wire:
        wire.send(request())
        wire.read_until(b"\r\n\r\n")
        # The chunks' own bytes come on top of the body's; they are cut as the gateway received.
        discard(wire.socket.recv_into, SIZE - len(wire.rest), pauses=True)
        if is_chunked:
            wire.rest = b""
            wire.read_until(b"0\r\n\r\n")
    peak.check()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_long_request_to_a_slow_reader(upstream, gateway, is_chunked):
    def script(peer):
        peer.head()
        discard(peer.socket.recv_into, SIZE - len(peer.rest), pauses=True)
        if is_chunked:
            peer.rest.clear()
            peer.take_until(b"0\r\n\r\n")
        peer.send(answer())

    server = gateway(upstream(script, receive_buffer=65536), WEIR_DEADLINE="1m")
    with Peak(server) as peak, server.connect() as wire:
        wire.send(request("/", "POST", CHUNKED if is_chunked else [f"Content-Length: {SIZE}"]))
        send_body(wire.send, is_chunked)
        assert wire.reply("POST").status == 200
    peak.check()


def test_both_directions_at_once_on_two_loops(upstream, gateway):
    def script(peer):
        peer.head()
        peer.send(answer(b"", headers=[f"Content-Length: {SIZE}"], length=False))
        left, memory = SIZE - len(peer.rest), bytearray(1 << 20)
        peer.send(peer.rest)
        while left:
            count = peer.socket.recv_into(memory, min(left, len(memory)))
            assert count, "the request was cut short"
            peer.send(memoryview(memory)[:count])
            left -= count

    server = gateway(upstream(script), WEIR_LOOPS=2)
    with Peak(server) as peak, server.connect() as wire:
        wire.send(request("/", "POST", [f"Content-Length: {SIZE}"]))
        sender = threading.Thread(target=send_body, args=(wire.send, False), daemon=True)
        sender.start()
        wire.read_until(b"\r\n\r\n")
        discard(wire.socket.recv_into, SIZE - len(wire.rest), pauses=False)
        sender.join(10)
    peak.check()


def test_many_slow_readers_cost_what_their_windows_are(upstream, gateway):
    """A hundred clients that read nothing of endless responses: each holds its window, and no more."""

    def script(peer):
        peer.request()
        peer.send(answer(b"", headers=CHUNKED, length=False))
        while True:
            peer.send(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK))

    endpoint = upstream(script)
    server = gateway(endpoint)
    before = resident(server)
    wires = [server.connect(receive_buffer=4096) for _ in range(100)]
    try:
        for wire in wires:
            wire.send(request())
        for wire in wires:
            wire.read_until(b"\r\n\r\n")
        sent = -1
        # Until nothing moves any more.
        while (now := server.metric("weir_sent_bytes_total")) != sent:
            sent = now
            time.sleep(0.2)
        assert server.metric("weir_buffer_bytes") < 100 * (512 << 10)
        assert resident(server) - before < 100 * (512 << 10)
    finally:
        for wire in wires:
            wire.close()


def test_connections_that_come_and_go_leave_nothing_behind(upstream_process, gateway):
    server = gateway(upstream_process(), WEIR_LOOPS=2)
    for _ in range(3):
        subprocess.run(["wrk", "-t1", "-c50", "-d1s", "-H", "Connection: close", server.url + "/"],
                       capture_output=True, timeout=30, check=True)
    eventually(lambda: server.metric("weir_connections_open") == 0, "every client's connection is gone")
    metrics = server.metrics()
    assert metrics['weir_requests_executing{pool="pod"}'] == 0
    assert metrics["weir_connections_accepted_total"] == metrics["weir_connections_closed_total"]
    assert metrics["weir_buffer_bytes"] < 2 << 20
    assert metrics["process_open_fds"] < 140


def test_what_is_counted_are_the_clients_connections_and_bytes(upstream, gateway):
    body = b"x" * 100_000
    endpoint = upstream(repeating(answer(body)))
    server = gateway(endpoint)
    sent = received = 0
    with server.connect() as wire:
        for _ in range(10):
            data = request("/", "POST", [f"Content-Length: {len(body)}"], body)
            wire.send(data)
            sent += len(data)
            head = wire.read_until(b"\r\n\r\n")
            received += len(head) + len(body)
            wire.read_until(body)
        metrics = server.metrics()
        assert metrics["weir_received_bytes_total"] == sent
        assert metrics["weir_sent_bytes_total"] == received
        assert metrics["weir_connections_open"] == 1
    endpoint.connections[0].socket.shutdown(socket.SHUT_RDWR)
    endpoint.wait_for_end(0)
    eventually(lambda: server.metric("weir_connections_closed_total") == 1, "the client's connection is closed")
    assert server.metric("weir_connections_accepted_total") == 1
