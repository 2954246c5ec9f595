# SPDX-License-Identifier: Apache-2.0
# What a message of the corpus is, and the pieces that they are made of.

from dataclasses import dataclass
from typing import NamedTuple

# Behind every case comes this request: read as itself where the case is a message, never where it is refused.
NEXT = b"GET /next HTTP/1.1\r\nHost: test\r\n\r\n"
# What an attacker would have read as a request of its own.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
# Refused in its body, a message may have begun at an endpoint, which knows this target for one that is never whole.
BROKEN = b"/broken"


class Message(NamedTuple):
    """A request that we read and pass on."""

    method: str
    target: str
    body: bytes = b""


NEXT_READ = Message("GET", "/next")


@dataclass(frozen=True)
class Case:
    data: bytes
    # What we read, in order.
    reads: tuple = ()
    # The status by which we answer what comes then; the connection closes behind it.
    refused: int | None = None
    # The status by which we answer the first message ourselves; the connection goes on.
    own: int | None = None
    # Whether the connection closes behind the last message, as that asked for.
    closes: bool = False
    # Whether its body never ends: the client has to.
    ends: bool = False
    # The published class that it belongs to.
    family: str = ""
    @property
    def is_followed(self):
        """Whether the request behind it is read."""
        return not self.refused and not self.closes and not self.ends


def head(*lines, method=b"POST", target=b"/a", version=b"HTTP/1.1", host=b"Host: test\r\n"):
    return method + b" " + target + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def length(body):
    return b"Content-Length: %d" % len(body)


def chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


def refused(data, status=400):
    return Case(data, refused=status)


def read(data, *messages, closes=False):
    return Case(data, reads=messages, closes=closes)


def sized(*lines, body=LAST_CHUNK + SMUGGLED, method=b"POST", target=b"/a", version=b"HTTP/1.1"):
    """A message of a true length, whose body looks like an end and a request to whoever takes `lines` for a coding."""
    data = head(length(body), *lines, method=method, target=target, version=version) + body
    return read(data, Message(method.decode(), target.decode(), body))


def coded(*lines, method=b"POST", target=b"/a"):
    """A chunked message, whose body looks like a request to whoever takes `lines` for a length, or for none."""
    data = head(CHUNKED, *lines, method=method, target=target) + chunk(SMUGGLED) + LAST_CHUNK
    return read(data, Message(method.decode(), target.decode(), SMUGGLED))
