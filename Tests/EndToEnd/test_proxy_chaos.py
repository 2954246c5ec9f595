# SPDX-License-Identifier: Apache-2.0
# Everything at once: endpoints that misbehave by chance and clients that leave by chance. What a client gets is its own
# answer or an honest failure, and in the end nothing is left behind.

import contextlib
import random
import threading
import time

import pytest

from polling import PATIENCE_SECONDS, eventually
from upstream import answer
from wire import request

CHUNKED = ["Transfer-Encoding: chunked"]
CLIENTS = 24
SECONDS = 4


def body_of(target):
    """What an endpoint answers to a target: its own name, up to many thousand times."""
    return target.encode() * (1 + hash_of(target) % (20_000 if hash_of(target) % 3 else 100))


def hash_of(target):
    return sum(ord(letter) * (index + 7) for index, letter in enumerate(target)) * 2_654_435_761 % (1 << 32)


def chunked(body, chance):
    pieces = []
    while body:
        size = chance.randrange(1, 30_000)
        pieces.append(b"%x\r\n%b\r\n" % (len(body[:size]), body[:size]))
        body = body[size:]
    return b"".join(pieces) + b"0\r\n\r\n"


def misbehaving(seed):
    def script(peer):
        chance = random.Random(seed * 1_000_003 + peer.number)
        while True:
            seen = peer.head()
            what = chance.randrange(24)
            if what == 0:
                return peer.reset()
            if what == 1:
                return None
            if what == 2:
                return peer.send(b"nonsense\r\n\r\n")
            body = body_of(seen.target)
            if what == 3:
                # Early, and the body is not read.
                peer.send(answer(body, headers=["Connection: close"]))
                return peer.close()
            peer.body(seen)
            if what == 4:
                peer.send(answer(body)[: -1 - len(body) // 2])
                return peer.reset() if chance.randrange(2) else None
            if what == 5:
                peer.send(answer(body, headers=["Connection: close"], length=False))
                return None
            if what == 6 and len(body) < 4000:
                # What comes right behind must reach nobody. (What comes a moment later cannot be told from the answer to
                # a request that has gone out meanwhile: HTTP/1.1 numbers nothing.)
                return peer.send(answer(body) + answer(b"of somebody else"))
            if what == 7:
                peer.send(answer(body))
                return None
            if what == 8:
                time.sleep(0.02)
            if what == 9:
                peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            if what > 16:
                peer.send(answer(chunked(body, chance), headers=CHUNKED, length=False))
            else:
                peer.send(answer(body))

    return script


def echoing(peer):
    while True:
        peer.send(answer(peer.request().target.encode()))


class Client:
    def __init__(self, server, number, stop):
        self.server, self.number, self.stop = server, number, stop
        self.whole = self.failed = self.left = 0
        self.faults = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        chance = random.Random(self.number)
        count = 0
        try:
            while not self.stop.is_set():
                with self.server.connect() as wire:
                    for _ in range(chance.randrange(1, 30)):
                        count += 1
                        if not self._ask(wire, f"/{self.number}/{count}", chance):
                            break
        except Exception as error:
            self.faults.append(error)

    def _ask(self, wire, target, chance):
        """Sends one request; false when the connection is over."""
        method = chance.choice(["GET", "GET", "POST", "PUT", "HEAD"])
        body = bytes(chance.randrange(256) for _ in range(chance.choice([0, 10, 2000]))) * 20 if method[0] == "P" else b""
        if body and chance.randrange(2):
            data = request(target, method, CHUNKED, chunked(body, chance))
        else:
            data = request(target, method, [f"Content-Length: {len(body)}"] if method[0] == "P" else [], body)
        try:
            wire.send(data)
            if chance.randrange(20) == 0:
                self.left += 1
                wire.reset() if chance.randrange(2) else wire.close()
                return False
            reply = wire.reply(method)
        except (OSError, AssertionError) as error:
            if isinstance(error, TimeoutError):
                raise
            self.failed += 1
            return False
        except Exception as error:
            # h11 says so of a body that was cut short, and of what is malformed.
            assert "without sending complete message body" in str(error) or "incomplete chunked" in str(error), error
            self.failed += 1
            return False
        if reply.status == 200:
            assert method == "HEAD" or reply.body == body_of(target), (target, reply.body[:100])
            self.whole += 1
        else:
            assert reply.status == 502, reply
            self.failed += 1
        return not reply.closes


@pytest.mark.parametrize("loops", [1, 2])
@pytest.mark.parametrize("connections", [4, 1024])
def test_every_client_gets_its_own_answer_or_an_honest_failure(upstream, gateway, loops, connections):
    endpoints = [upstream(misbehaving(seed)) for seed in (1, 2, 3)]
    server = gateway(*endpoints, WEIR_LOOPS=loops, WEIR_UPSTREAM_CONNECTIONS=connections)
    stop = threading.Event()
    clients = [Client(server, number, stop) for number in range(CLIENTS)]
    stop.wait(SECONDS)
    stop.set()
    for client in clients:
        client.thread.join(2 * PATIENCE_SECONDS)
    assert [fault for client in clients for fault in client.faults] == []
    assert sum(client.whole for client in clients) > 100
    assert sum(client.failed for client in clients) > 10
    eventually(lambda: server.metric("weir_connections_open") == 0, "every client's connection is gone")
    metrics = server.metrics()
    for name in ('weir_requests_executing{pool="pod"}', "weir_streams_active", "weir_tunnels_active"):
        assert metrics[name] == 0, name
    assert metrics["weir_connections_accepted_total"] == metrics["weir_connections_closed_total"]
    # The places of all connections were given back: once the endpoints behave, everybody is served at once.
    for one in endpoints:
        one.script = echoing
        one.end_connections()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(12)]
        for _ in range(20):
            for index, wire in enumerate(wires):
                wire.send(request(f"/after/{index}"))
            assert [wire.reply().body for wire in wires] == [b"/after/%d" % index for index in range(12)]
