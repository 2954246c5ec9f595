# SPDX-License-Identifier: Apache-2.0
# Requests that come at a rate, whatever becomes of those before them, as those of many people do. On a thread of their
# own.

import asyncio
import dataclasses
import threading
import time

# How long an answer may take; it bounds how many are under way.
PATIENCE_SECONDS = 60
# Below every server's.
IDLE_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Outcome:
    """When it was sent (`time.monotonic`), how long it took, and its status; 0 where there was none."""

    at: float
    seconds: float
    status: int


class Arrivals:
    def __init__(self, address, target, rate):
        self.address, self.rate = address, rate
        self.request = f"GET {target} HTTP/1.1\r\nHost: orders\r\n\r\n".encode()
        self.outcomes, self.idle, self.under_way = [], [], set()
        self.ends = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="arrivals", daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Sends no more, and waits for the answers."""
        self.ends.set()
        self.thread.join(PATIENCE_SECONDS + 5)
        assert not self.thread.is_alive(), "an answer has not come in time"
        return self.outcomes

    @property
    def failures(self):
        return [outcome for outcome in list(self.outcomes) if outcome.status != 200]

    async def _send(self):
        next_at = time.monotonic()
        while not self.ends.is_set():
            await asyncio.sleep(max(next_at - time.monotonic(), 0))
            next_at = max(next_at + 1 / self.rate, time.monotonic() - 1)
            task = asyncio.create_task(self._ask())
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        if self.under_way:
            await asyncio.wait(self.under_way)
        for _, writer, _ in self.idle:
            writer.close()

    async def _ask(self):
        begin, status = time.monotonic(), 0
        try:
            status = await asyncio.wait_for(self._exchange(), PATIENCE_SECONDS)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            pass
        self.outcomes.append(Outcome(begin, time.monotonic() - begin, status))

    def _idle_connection(self):
        """The one that was used last; none that a server may be about to close, for which the answer would be lost."""
        while self.idle:
            reader, writer, since = self.idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _exchange(self):
        reader, writer = self._idle_connection() or await asyncio.open_connection(*self.address)
        is_kept = False
        try:
            writer.write(self.request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
            await reader.readexactly(int(fields["content-length"]))
            is_kept = fields.get("connection") != "close"
            return int(head.split(" ", 2)[1])
        finally:
            if is_kept:
                self.idle.append((reader, writer, time.monotonic()))
            else:
                writer.close()
