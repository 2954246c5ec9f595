# SPDX-License-Identifier: Apache-2.0
# Clients that ask one request after the other, whatever becomes of the endpoints, and what each of them saw.

import collections
import concurrent.futures
import contextlib
import json
import threading

from polling import PATIENCE_SECONDS, eventually
from wire import request

CLIENTS = 8


class Load:
    """Clients that ask until they are told to stop. `seen` has what each request came to: the status of an answer of an
    endpoint's, a status and the reason of an answer of the gateway's own, or "broken off" where its end never came."""

    def __init__(self, server, target, method):
        self.server, self.asked = server, request(target, method)
        self.seen = []
        self.ends = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self._ask) for _ in range(CLIENTS)]

    def _ask(self):
        while not self.ends.is_set():
            with self.server.connect() as wire:
                whole = True
                while whole and not self.ends.is_set():
                    whole = self._ask_once(wire)

    def _ask_once(self, wire):
        """Whether the connection goes on."""
        wire.send(self.asked)
        head = wire.read_until(b"\r\n\r\n").decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
        status = int(head.split(" ", 2)[1])
        length = int(fields["content-length"])
        while len(wire.rest) < length:
            piece = wire.socket.recv(1 << 16)
            if not piece:
                self.seen.append("broken off")
                return False
            wire.rest += piece
        body, wire.rest = wire.rest[:length], wire.rest[length:]
        is_own = fields.get("content-type") == "application/problem+json"
        self.seen.append((status, json.loads(body)["reason"]) if is_own else status)
        return fields.get("connection") != "close"

    def wait_for(self, count):
        """Until so many more have come to something."""
        end = len(self.seen) + count
        while len(self.seen) < end:
            self._expect_clients()
            threading.Event().wait(0.01)

    def wait_until(self, condition, what, seconds=PATIENCE_SECONDS):
        def met():
            self._expect_clients()
            return condition()

        return eventually(met, what, seconds)

    def _expect_clients(self):
        for client in self.clients:
            if client.done():
                client.result()

    def stop(self):
        """What was seen, and how often."""
        self.ends.set()
        for client in self.clients:
            client.result()
        self.pool.shutdown()
        return collections.Counter(self.seen)


@contextlib.contextmanager
def load(server, target="/hello", method="GET"):
    running = Load(server, target, method)
    try:
        yield running
    finally:
        running.ends.set()
        running.pool.shutdown()


def ask(server, count, **options):
    """What so many more requests, at least, come to."""
    with load(server, **options) as running:
        running.wait_for(count)
        return running.stop()
