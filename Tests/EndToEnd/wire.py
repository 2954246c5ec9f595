# SPDX-License-Identifier: Apache-2.0
# A client over a plain socket: literal bytes out, and h11 as the judge of what comes back.

import socket
from dataclasses import dataclass, field

import h11

from polling import PATIENCE_SECONDS


def request(target="/hello", method="GET", headers=(), body=b"", version="1.1", host="test"):
    """The bytes of a well-formed request."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += headers
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Reply:
    status: int
    version: bytes
    headers: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    # Statuses of the 1xx responses that came before.
    informational: list = field(default_factory=list)

    def values(self, name):
        return [value.decode() for key, value in self.headers if key == name.encode()]

    def header(self, name):
        values = self.values(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None

    @property
    def closes(self):
        return self.header("connection") == "close"


class Wire:
    """One connection. Every reply is read by h11, so a malformed one fails the test that met it."""

    def __init__(self, address, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end(self):
        """Says that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def get(self, target="/hello", **options):
        self.send(request(target, **options))
        return self.reply(options.get("method", "GET"))

    def reply(self, method="GET"):
        """The next final response."""
        oracle = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 << 10)
        oracle.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        if self.rest:
            oracle.receive_data(self.rest)
            self.rest = b""
        informational, reply, pieces = [], None, []
        while True:
            event = oracle.next_event()
            if event is h11.NEED_DATA:
                data = self.socket.recv(1 << 16)
                assert data or reply, "the connection ended where a response was due"
                oracle.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                informational.append(event.status_code)
            elif isinstance(event, h11.Response):
                reply = Reply(event.status_code, event.http_version, list(event.headers), informational=informational)
            elif isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                reply.trailers = list(event.headers)
                reply.body = b"".join(pieces)
                self.rest = oracle.trailing_data[0]
                return reply

    def read_until(self, text):
        """Raw bytes up to and with `text`."""
        while text not in self.rest:
            data = self.socket.recv(1 << 16)
            assert data, f"the connection ended before {text!r}: {self.rest!r}"
            self.rest += data
        end = self.rest.index(text) + len(text)
        taken, self.rest = self.rest[:end], self.rest[end:]
        return taken

    def read_to_end(self):
        """All that still comes until the server closes or resets the connection."""
        pieces = []
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                self.rest = b"".join([self.rest, *pieces])
                return self.rest
            pieces.append(data)

    def expect_end(self):
        """The server closes in good order (FIN, no reset) and sends nothing more."""
        assert self.rest == b""
        assert self.socket.recv(1) == b"", "the connection goes on"

    def has_ended(self):
        """Whether the server closed; without waiting."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)
