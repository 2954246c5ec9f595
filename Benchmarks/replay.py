# SPDX-License-Identifier: Apache-2.0
"""The program `Replay`: the engine over a poller without a kernel, fed the same requests again and again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Count:
    """What one run took. The difference of two runs leaves out what start and end take."""

    requests: int
    events: int

    def __sub__(self, other: Self) -> "Count":
        return Count(self.requests - other.requests, self.events - other.events)


@dataclass(frozen=True)
class Case:
    """Requests of one kind, so many at a time on each connection."""

    name: str
    route: str
    depth: int
    options: tuple[str, ...] = ()

    def command(self, binary: Path, rounds: int) -> list[str]:
        return [str(binary), self.route, str(self.depth), str(rounds), *self.options]


HELLO = Case("/hello", "/hello", 1)
PRIORITY = Case("/hello with priority", "/hello", 1, ("priority",))
ASYNC = Case("/async", "/async", 1)
LIMITED = Case("limit by client", "/limited", 1)
REFUSED = Case("limit by client, refused", "/refused", 1)
CASES = (
    HELLO,
    PRIORITY,
    Case("/hello, 16 pipelined", "/hello", 16),
    Case("/hello, 16 pipelined, no head like the one before", "/hello,/hello?", 16),
    Case("/hello, 16 pipelined, access log", "/hello", 16, ("access-log",)),
    ASYNC,
    Case("keyed limit, 16 keys", "/limited", 16, ("key",)),
    LIMITED,
    REFUSED,
    Case("proxy", "/proxied", 1),
)


def requests(output: str) -> int:
    """How many there were, from the line that it prints: `8000 requests, 1040000 bytes sent`."""
    return int(output.partition(" requests")[0])
