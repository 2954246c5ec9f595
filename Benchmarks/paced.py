# SPDX-License-Identifier: Apache-2.0
"""Load over connections that stay open, at a constant rate or as fast as they are answered: peers/paced.c."""

import json
import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from servers import Server, guarded
from tools import BenchmarkError, run

SOURCE = Path(__file__).with_name("peers") / "paced.c"
OPEN_SECONDS_MAX = 60.0
# Beyond the length of a turn: the program itself waits five seconds for answers that are missing.
END_SECONDS_MAX = 15.0
# As a rate: each connection sends when it has been answered.
UNPACED = 0


@dataclass(frozen=True)
class Turn:
    """What was answered, and how long it took from when it was due."""

    answered: int
    microseconds: dict[str, float]


def compile_to(folder: Path) -> Path:
    program = folder / "paced"
    run("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE)
    return program


class Paced:
    """The program with its connections open; use it in a `with` block, inside that of the server."""

    def __init__(self, program: Path, server: Server, path: str, connections: int, core: int) -> None:
        self._server = server
        self._command = guarded([str(program), str(server.port), path, str(connections)], core)

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            if self._line(OPEN_SECONDS_MAX) != "ready":
                raise self._error("the connections could not be opened")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def turn(self, rate: int, seconds: int) -> Turn:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{rate} {seconds}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._error("the load has ended") from None
        line = self._line(seconds + END_SECONDS_MAX)
        if not line:
            raise self._error("the load gave no counts")
        counts = json.loads(line)
        if counts["errors"]:
            raise BenchmarkError(f"{self._server.name} did not answer {counts['errors']:,} requests with 200")
        if counts["unsent"]:
            raise BenchmarkError(f"{self._server.name} does not carry {rate:,} requests a second")
        return Turn(counts["answered"], counts["microseconds"])

    def _line(self, seconds: float) -> str:
        """The next line of standard output; empty where none comes in time."""
        assert self._process.stdout
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        text = b""
        while not text.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 4096) if readable else b""
            if not piece:
                return ""
            text += piece
        return text.decode().strip()

    def _error(self, what: str) -> BenchmarkError:
        self._process.kill()
        assert self._process.stderr
        said = self._process.stderr.read().decode(errors="replace").strip()
        return BenchmarkError(f"{self._server.name}: {what}{': ' if said else ''}{said}")

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe
            try:
                pipe.close()
            except BrokenPipeError:
                pass
