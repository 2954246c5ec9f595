# SPDX-License-Identifier: Apache-2.0
# Many uploads at a time, from one thread: what each was answered, byte by byte.

import collections
import select
import socket
import time

from wire import request

BODY_BYTES = 1 << 20
PIECE_BYTES = 1 << 16
# Each upload begins at another place of it, so one connection's bytes are never taken for another's.
PATTERN = bytes(range(251)) * ((BODY_BYTES + 2 * 251) // 251 + 1)


class Upload:
    """One connection, which sends all that is taken and reads all that comes; a slow reader once it is told to. To `/echo`,
    which sends it back, or to `/length`, which collects it and says how long it was."""

    def __init__(self, address, number, reads=True, target="/echo", is_chunked=False):
        self.offset, self.reads, self.is_echoed = number % 251, reads, target == "/echo"
        body = PATTERN[self.offset:self.offset + BODY_BYTES]
        if is_chunked:
            pieces = (body[start:start + PIECE_BYTES] for start in range(0, BODY_BYTES, PIECE_BYTES))
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
        framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {BODY_BYTES}"
        self.unsent = memoryview(request(target, "POST", [framing, "Connection: close"]) + body)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.connect_ex(address)
        self.rest, self.status, self.is_own = b"", None, False
        # What comes back is in chunks, as what was sent.
        self.is_chunked, self.chunk_left, self.taken = is_chunked, 0, 0
        self.outcome = None

    def interest(self):
        return (select.EPOLLOUT if self.unsent else 0) | (select.EPOLLIN if self.reads else 0)

    def send(self):
        try:
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent[:PIECE_BYTES]):]
        except BlockingIOError:
            pass

    def turn(self):
        try:
            self.send()
            if self.reads:
                piece = self.socket.recv(PIECE_BYTES)
                self.rest += piece
                self._parse()
                if not piece and self.outcome is None:
                    self.outcome = f"broken off after {self.taken} bytes, status {self.status}"
        except BlockingIOError:
            pass
        except OSError as error:
            if self.outcome is None:
                self.outcome = f"{error.strerror}, status {self.status}"

    def _parse(self):
        if self.status is None:
            head, found, rest = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            self.status, self.rest = int(head.split(b" ")[1]), rest
            if self.status != 200:
                self.unsent = b""
                self.outcome = self.status
                return
        if not self.is_echoed:
            if self.rest.endswith(b"\n"):
                self.outcome = 200 if int(self.rest) == BODY_BYTES else f"{self.rest} bytes were seen"
            return
        if not self.is_chunked:
            self._take(self.rest)
            self.rest = b""
            if self.taken >= BODY_BYTES:
                self.outcome = self.outcome or self._end()
        while self.is_chunked and self.outcome is None:
            if self.chunk_left > 2:
                piece = self.rest[:self.chunk_left - 2]
                if not piece:
                    return
                self._take(piece)
                self.chunk_left -= len(piece)
                self.rest = self.rest[len(piece):]
            elif self.chunk_left > 0:
                if len(self.rest) < 2:
                    return
                self.rest, self.chunk_left = self.rest[2:], 0
            else:
                size, found, rest = self.rest.partition(b"\r\n")
                if not found:
                    return
                self.rest, self.chunk_left = rest, int(size, 16) + 2
                if self.chunk_left == 2:
                    self.outcome = self._end()

    def _take(self, piece):
        start = self.offset + self.taken
        if piece != PATTERN[start:start + len(piece)]:
            self.outcome = f"other bytes than were sent, in {len(piece)} behind {self.taken}"
        self.taken += len(piece)

    def _end(self):
        return 200 if self.taken == BODY_BYTES else f"{self.taken} bytes in all"


def upload(address, count, slow=0, seconds=120, each_turn=lambda: None, **how):
    """So many uploads at once (`how`: see `Upload`), of which the first `slow` read nothing before half of the others are
    through. How often each outcome was seen: a status, or what was wrong in words."""
    poller = select.epoll()
    uploads = {}
    seen = collections.Counter()
    end = time.monotonic() + seconds
    try:
        for number in range(count):
            one = Upload(address, number, reads=number >= slow, **how)
            uploads[one.socket.fileno()] = one
            # At once, as clients do: a connection on which nothing comes is taken for idle.
            one.send()
            poller.register(one.socket, one.interest())
        held = [one for one in uploads.values() if not one.reads]
        while uploads and time.monotonic() < end:
            each_turn()
            if held and sum(seen.values()) >= (count - slow) // 2:
                for one in held:
                    one.reads = True
                    if one.outcome is None:
                        poller.modify(one.socket, one.interest())
                held = []
            for descriptor, events in poller.poll(0.1):
                one = uploads[descriptor]
                was = one.interest()
                one.turn()
                if events & (select.EPOLLERR | select.EPOLLHUP) and not one.reads:
                    one.outcome = one.outcome or "broken off while it was not read"
                if one.outcome is not None:
                    seen[one.outcome] += 1
                    del uploads[descriptor]
                    one.socket.close()
                elif one.interest() != was:
                    poller.modify(one.socket, one.interest())
        if uploads:
            seen["unanswered"] += len(uploads)
    finally:
        poller.close()
        for one in uploads.values():
            one.socket.close()
    return seen
