# SPDX-License-Identifier: Apache-2.0
"""The program `Micro`: single operations of the hot path, performed a given number of times."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One of its benchmarks, by its name there."""

    name: str

    def command(self, binary: Path, operations: int) -> list[str]:
        return [str(binary), "--count", str(operations), self.name]


CASES = (
    Case("routing-10"),
    Case("routing-1000"),
    Case("limiter-gcra"),
    Case("limiter-slidingWindow"),
    Case("limiter-tokenBucket"),
    Case("limiter-refused"),
    Case("limiter-keyed-gcra-cached"),
    Case("limiter-keyed-slidingWindow-cached"),
    Case("limiter-keyed-tokenBucket-cached"),
    Case("limiter-all-of-2"),
    Case("limiter-hash-16-bytes"),
    Case("admission"),
    Case("admission-refused"),
    Case("balancing-least-latency-3"),
)


def operations(output: str) -> int:
    """How many there were, from the line that it prints: `1000 operations`."""
    return int(output.partition(" operations")[0])


def nanoseconds(output: str) -> dict[tuple[str, int], float]:
    """How long each took on so many threads, from lines like `limiter-gcra 2 10.5`."""
    return {(name, int(threads)): float(time) for name, threads, time in map(str.split, output.splitlines())}
