# SPDX-License-Identifier: Apache-2.0
# Clients that expect trouble: what became of each request, and whether what came is what was asked for.

import collections
import itertools
import socket
import threading

from polling import PATIENCE_SECONDS, eventually
from wire import request


SOURCES = itertools.cycle(range(1, 255))


class Broken(Exception):
    """The connection ended before the answer was whole; `began` says whether some of the answer had come."""

    def __init__(self, began):
        self.began = began


def read_answer(connection, rest=b""):
    """Status, fields, body, and what came behind it."""

    def more(began):
        try:
            piece = connection.recv(1 << 16)
        except ConnectionError:
            piece = b""
        if not piece:
            raise Broken(began)
        return piece

    while b"\r\n\r\n" not in rest:
        rest += more(bool(rest))
    head, _, rest = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if fields.get("transfer-encoding") == "chunked":
        body, rest = read_chunks(rest, more)
    else:
        length = int(fields["content-length"])
        pieces, held = [rest], len(rest)
        while held < length:
            pieces.append(more(True))
            held += len(pieces[-1])
        whole = b"".join(pieces)
        body, rest = whole[:length], whole[length:]
    return int(first.split(" ")[1]), fields, body, rest


def read_chunks(rest, more):
    pieces = []
    while True:
        while b"\r\n" not in rest:
            rest += more(True)
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        while len(rest) < size + 2:
            rest += more(True)
        pieces.append(rest[:size])
        rest = rest[size + 2:]
        if size == 0:
            return b"".join(pieces), rest


def open_to(address, context=None):
    # From many addresses: the ports of one are used up by connections that have ended, for a minute.
    source = (f"127.0.0.{next(SOURCES)}", 0) if address[0].startswith("127.") else None
    connection = socket.create_connection(address, PATIENCE_SECONDS, source)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname="shop.test") if context else connection


def ask(address, target="/hello", method="GET", body=b"", context=None):
    """One request on a connection of its own; its status and body."""
    fields = ["Connection: close", *([f"Content-Length: {len(body)}"] if method == "POST" else [])]
    with open_to(address, context) as connection:
        connection.sendall(request(target, method, fields, body))
        status, _, answer, _ = read_answer(connection)
        return status, answer


class Crowd:
    """Threads that each do the same again and again. `seen` counts what came of it, by name."""

    def __init__(self, pause=0):
        # Between two requests of a thread: the load of a soak is to be long, not high.
        self.pause = pause
        self.seen, self.ends, self.threads, self.failures = collections.Counter(), threading.Event(), [], []

    def add(self, name, act):
        thread = threading.Thread(target=self._run, args=(name, act), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _run(self, name, act):
        try:
            while not self.ends.is_set():
                self.seen[name, act()] += 1
                if self.pause:
                    self.ends.wait(self.pause)
        except Exception as error:
            self.failures.append((name, error))

    def count(self, name):
        """How often it was done, whatever came of it."""
        return sum(count for (other, _), count in list(self.seen.items()) if other == name)

    def wait_for(self, count, seconds=60):
        """Until so many more things were done."""
        end = self.seen.total() + count
        self.wait_until(lambda: self.seen.total() >= end, f"{count} more", seconds)

    def wait_until(self, condition, what, seconds=60):
        def met():
            assert not self.failures, self.failures
            return condition()

        return eventually(met, what, seconds)

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS * 2)
        assert not self.failures, self.failures
        return self.seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS * 2)


class Keeper:
    """Asks on one connection for as long as it lasts, and makes another when it was told that it ends. It says what
    became of each request: the status, or "ended" or "cut" where the connection broke before or in the answer."""

    def __init__(self, place, target="/hello", expected=None, context=None, method="GET"):
        # A callable: where to go may change.
        self.place = place if callable(place) else lambda: place
        self.asked, self.expected, self.context = request(target, method), expected, context
        self.connection, self.rest, self.status = None, b"", None

    def __call__(self):
        try:
            if self.connection is None:
                self.connection, self.rest = open_to(self.place(), self.context), b""
            self.connection.sendall(self.asked)
            self.status, fields, body, self.rest = read_answer(self.connection, self.rest)
        except Broken as broken:
            self.close()
            return "cut" if broken.began else "ended"
        except OSError as error:
            self.close()
            return "ended" if isinstance(error, ConnectionError) else type(error).__name__
        if fields.get("connection") == "close":
            self.close()
        if self.status == 200 and self.expected is not None and body != self.expected:
            return "wrong"
        return self.status

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

