# SPDX-License-Identifier: Apache-2.0
"""The program `Replay`: the engine over a poller without a kernel, fed the same requests again and again."""

from pathlib import Path

CONNECTIONS = 8


def command(binary: Path, route: str, depth: int, rounds: int) -> list[str]:
    return [str(binary), route, str(depth), str(rounds)]


def requests(depth: int, rounds: int) -> int:
    return CONNECTIONS * depth * rounds
