# SPDX-License-Identifier: Apache-2.0
"""What `make bench-peers` gives Weir and its peers to do, and how each figure is taken.

A peer that fails at something, or is not here, has a word in its place and a problem that says what went wrong; it does
not keep the others from being measured.
"""

import http.client
import statistics
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import footprint
import load
import paced
import proxies
from load import Plan
from paced import Paced
from peer_servers import LACKS, NO_ECHO, PEERS, WEIR, Kit, Role
from servers import Server
from tools import BenchmarkError
from turns import Side, Spent, microseconds_each

# From so many on, connections are opened before the measuring: with wrk, that would be much of what is measured.
HELD_CONNECTIONS_MIN = 1_000
STARTS = 5
FAILED = "failed"
NOT_HERE = "not here"
Failure = (BenchmarkError, OSError, http.client.HTTPException, ValueError)


@dataclass
class Row:
    """One line of the table: each server's figures, one from a round, or a word that says why there are none."""

    work: str
    unit: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """What all works share, and the problems that they met."""

    kit: Kit
    plan: Plan
    paced: Path
    names: Sequence[str]
    problems: list[str] = field(default_factory=list)

    def failed(self, work: str, name: str, error: Exception) -> None:
        problem = f"{name}, {work}: {str(error).strip() or type(error).__name__}"
        self.problems.append(problem)
        print(f"peers: FAILED: {problem}", file=sys.stderr)


class Work(ABC):
    """Something that servers in one role are measured at."""

    def __init__(self, title: str, role: Role, lacks: Mapping[str, str] | None = None) -> None:
        self.title = title
        self.role = role
        self._lacks = {**LACKS[role], **(lacks or {})}

    @abstractmethod
    def measure(self, run: Run) -> list[Row]:
        """A server that fails has its word; what hinders all of them is an error."""

    def nothing(self, run: Run) -> Row:
        """Where that has happened."""
        return Row(self.title, "", {}, dict.fromkeys((WEIR, *PEERS), FAILED) | self.words(run))

    def words(self, run: Run) -> dict[str, str]:
        """For those that are not measured at all."""
        words = {name: NOT_HERE for name in PEERS if name in run.kit.missing or name not in run.names}
        return {**words, **self._lacks}

    @contextmanager
    def endpoint(self, run: Run) -> Iterator[Server | None]:
        """What stands behind the proxies, on the load's core; nothing for a service."""
        if self.role is Role.SERVICE:
            yield None
            return
        with proxies.endpoint(run.kit.products, run.plan.load_core, "worker_connections 16384;") as server:
            yield server


class Contestant(ABC):
    """A server that takes turns with the others."""

    @abstractmethod
    def take_turn(self) -> None: ...

    @abstractmethod
    def end_round(self) -> dict[str, float]:
        """The round's figures, by the row that they go into."""


class Contest(Work):
    """All servers are up at once and take turns on the same core: what slows the machine down slows all of them."""

    units: Mapping[str, str]

    @abstractmethod
    def turns_in_round(self, plan: Plan) -> int: ...

    @abstractmethod
    def join(self, server: Server, run: Run, stack: ExitStack) -> Contestant: ...

    def measure(self, run: Run) -> list[Row]:
        rows = {key: Row(f"{self.title}: {key}", unit, {}, self.words(run)) for key, unit in self.units.items()}
        out = next(iter(rows.values())).words.copy()
        with ExitStack() as stack:
            endpoint = stack.enter_context(self.endpoint(run))
            contestants: dict[str, Contestant] = {}
            for name in (WEIR, *PEERS):
                if name not in out:
                    with self._dropping(name, run, contestants, rows):
                        server = stack.enter_context(run.kit.server(name, self.role, endpoint))
                        contestants[name] = self.join(server, run, stack)
            for number in range(1, run.plan.rounds + 1):
                self._take_round(number, contestants, rows, run)
        return list(rows.values())

    def _take_round(self, number: int, contestants: dict[str, Contestant], rows: dict[str, Row], run: Run) -> None:
        for _ in range(self.turns_in_round(run.plan)):
            for name in list(contestants):
                with self._dropping(name, run, contestants, rows):
                    contestants[name].take_turn()
        told = []
        for name, contestant in contestants.items():
            figures = contestant.end_round()
            for key, figure in figures.items():
                rows[key].figures.setdefault(name, []).append(figure)
            told.append(f"{name} {next(iter(figures.values())):.2f}")
        print(f"{self.title}, round {number} of {run.plan.rounds}: {', '.join(told)}", file=sys.stderr)

    @contextmanager
    def _dropping(
        self, name: str, run: Run, contestants: dict[str, Contestant], rows: dict[str, Row]
    ) -> Iterator[None]:
        """A server that fails takes no further part, and what it did before counts for nothing."""
        try:
            yield
        except Failure as error:
            run.failed(self.title, name, error)
            contestants.pop(name, None)
            for row in rows.values():
                row.figures.pop(name, None)
                row.words[name] = FAILED


class UnderLoad(Contest):
    """CPU time per request, as fast as the load can send."""

    units = {"CPU per request": "µs"}

    def __init__(
        self, title: str, role: Role, path: str = "/hello", connections: int = load.CONNECTIONS, body_bytes: int = 0,
        is_refused: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(title, role, NO_ECHO if body_bytes else None)
        self._path = path
        self._connections = connections
        self._settings = {"connections": connections, "body_bytes": body_bytes, "is_refused": is_refused}

    def turns_in_round(self, plan: Plan) -> int:
        return plan.seconds

    def join(self, server: Server, run: Run, stack: ExitStack) -> Contestant:
        work = self._held(server, run, stack) if self._connections >= HELD_CONNECTIONS_MIN else self._wrk(server, run)
        work()
        return Loaded(Side(server, work))

    def _wrk(self, server: Server, run: Run) -> Callable[[], int]:
        turn = replace(run.plan, seconds=1)
        return lambda: load.send(server, self._path, turn, **self._settings)

    def _held(self, server: Server, run: Run, stack: ExitStack) -> Callable[[], int]:
        client = stack.enter_context(Paced(run.paced, server, self._path, self._connections, run.plan.load_core))
        return lambda: client.turn(paced.UNPACED, 1).answered


class Loaded(Contestant):
    def __init__(self, side: Side) -> None:
        self._side = side
        self._turns: list[Spent] = []

    def take_turn(self) -> None:
        spent = self._side.take_turn()
        if not spent.done:
            raise BenchmarkError("nothing was answered in a turn")
        self._turns.append(spent)

    def end_round(self) -> dict[str, float]:
        figure = microseconds_each(self._turns)
        self._turns = []
        return {"CPU per request": figure}


class AtRate(Contest):
    """Latency at a constant rate, with the CPU time that it takes; a turn is a whole round, for the percentiles."""

    units = {"CPU per request": "µs", "median": "µs", "p99": "µs", "p99.9": "µs"}

    def __init__(self, title: str, role: Role, connections: int, rate: int) -> None:
        super().__init__(title, role)
        self._connections = connections
        self._rate = rate

    def turns_in_round(self, plan: Plan) -> int:
        return 1

    def join(self, server: Server, run: Run, stack: ExitStack) -> Contestant:
        client = stack.enter_context(Paced(run.paced, server, "/hello", self._connections, run.plan.load_core))
        client.turn(self._rate, 1)
        return Timed(server, client, self._rate, run.plan.seconds)


class Timed(Contestant):
    def __init__(self, server: Server, client: Paced, rate: int, seconds: int) -> None:
        self._server = server
        self._client = client
        self._rate = rate
        self._seconds = seconds
        self._figures: dict[str, float] = {}

    def take_turn(self) -> None:
        before = self._server.cpu_nanoseconds()
        turn = self._client.turn(self._rate, self._seconds)
        spent = self._server.cpu_nanoseconds() - before
        self._figures = {"CPU per request": spent / 1_000 / turn.answered}
        self._figures |= {key: turn.microseconds[key] for key in AtRate.units if key in turn.microseconds}

    def end_round(self) -> dict[str, float]:
        return self._figures


class Alone(Work):
    """Each server is started by itself, with nothing else under way."""

    def each(self, run: Run, rows: Sequence[Row], times: int, look: Callable[[Server], Sequence[float]]) -> list[Row]:
        """`look` gives a figure for each of `rows`."""
        with ExitStack() as stack:
            endpoint = stack.enter_context(self.endpoint(run))
            for _ in range(times):
                for name in (WEIR, *PEERS):
                    if name in rows[0].words:
                        continue
                    try:
                        with run.kit.server(name, self.role, endpoint) as server:
                            figures = look(server)
                    except Failure as error:
                        run.failed(self.title, name, error)
                        for row in rows:
                            row.figures.pop(name, None)
                            row.words[name] = FAILED
                        continue
                    for row, figure in zip(rows, figures, strict=True):
                        row.figures.setdefault(name, []).append(figure)
        for row in rows:
            told = (f"{name} {statistics.median(figures):.2f}" for name, figures in row.figures.items())
            print(f"{row.work}: {', '.join(told)}", file=sys.stderr)
        return list(rows)


class Memory(Alone):
    """After the first answers, and for each connection that stays open after one."""

    def measure(self, run: Run) -> list[Row]:
        words = self.words(run)
        titles = {f"{self.title}, idle": "MiB", f"{self.title}, {footprint.CONNECTIONS:,} idle connections": "MiB"}
        return self.each(run, [Row(title, unit, {}, dict(words)) for title, unit in titles.items()], 1, self._look)

    @staticmethod
    def _look(server: Server) -> Sequence[float]:
        with ExitStack() as warm_up:
            footprint.open_connections(server, footprint.WARM_UP_CONNECTIONS, warm_up)
        before = footprint.settled(server.proportional_bytes)
        with ExitStack() as stack:
            connections = footprint.open_connections(server, footprint.CONNECTIONS, stack)
            after = footprint.settled(server.proportional_bytes)
            footprint.check_open(connections)
        return [before / 2**20, after / 2**20]


class Start(Alone):
    """From before the process is made to the first answer."""

    def measure(self, run: Run) -> list[Row]:
        row = Row(self.title, "ms", {}, self.words(run))
        return self.each(run, [row], STARTS, lambda server: [server.start_milliseconds])


SERVICE_RATE = 10_000
# Less: the endpoint shares the load's core.
PROXY_RATE = 5_000

# What `--only` knows, in the order of the table; docs/peers.md says why these.
WORKS: dict[str, Work] = {
    "hello-1": UnderLoad("plain answer, 1 connection", Role.SERVICE, connections=1),
    "hello": UnderLoad("plain answer, 64 connections", Role.SERVICE),
    "hello-1000": UnderLoad("plain answer, 1,000 connections", Role.SERVICE, connections=1_000),
    "hello-10000": UnderLoad("plain answer, 10,000 connections", Role.SERVICE, connections=10_000),
    "json": UnderLoad("JSON, 64 connections", Role.SERVICE, "/json"),
    "404": UnderLoad("404, 64 connections", Role.SERVICE, "/nothing", is_refused=True),
    "echo-1k": UnderLoad("echo of 1 KiB, 64 connections", Role.SERVICE, "/echo", body_bytes=1 << 10),
    "echo-64k": UnderLoad("echo of 64 KiB, 64 connections", Role.SERVICE, "/echo", body_bytes=64 << 10),
    "echo-10m": UnderLoad("echo of 10 MiB, 4 connections", Role.SERVICE, "/echo", connections=4, body_bytes=10 << 20),
    "proxy": UnderLoad("proxy, 64 connections", Role.PROXY),
    "proxy-1000": UnderLoad("proxy, 1,000 connections", Role.PROXY, connections=1_000),
    "limits": UnderLoad("proxy with limits, 64 connections", Role.LIMITS),
    "rate": AtRate("plain answer, 10,000/s, 64 connections", Role.SERVICE, 64, SERVICE_RATE),
    "rate-10000": AtRate("plain answer, 10,000/s, 10,000 connections", Role.SERVICE, 10_000, SERVICE_RATE),
    "rate-proxy": AtRate("proxy, 5,000/s, 64 connections", Role.PROXY, 64, PROXY_RATE),
    "memory": Memory("memory of the service", Role.SERVICE),
    "memory-proxy": Memory("memory of the proxy", Role.PROXY),
    "start": Start("start of the service to its first answer", Role.SERVICE),
    "start-proxy": Start("start of the proxy to its first answer", Role.PROXY),
}
