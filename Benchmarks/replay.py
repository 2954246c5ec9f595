# SPDX-License-Identifier: Apache-2.0
"""The program `Replay`: the engine over a poller without a kernel, fed the same requests again and again."""

from collections.abc import Sequence
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


def command(binary: Path, route: str, depth: int, rounds: int, options: Sequence[str] = ()) -> list[str]:
    return [str(binary), route, str(depth), str(rounds), *options]


def requests(output: str) -> int:
    """How many there were, from the line that it prints: `8000 requests, 1040000 bytes sent`."""
    return int(output.partition(" requests")[0])
