# SPDX-License-Identifier: Apache-2.0
"""CPU time of servers for the same work on the same core, in turns."""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import load
from load import Plan
from report import Row
from servers import Server


@dataclass
class Side:
    """A server, and what it is given to do in each turn. The work gives how much of it was done, in its own unit.

    `done` is the sum, with what was done before the first turn."""

    server: Server
    work: Callable[[], int]
    done: int = 0

    def take_turn(self) -> "Spent":
        before = self.server.cpu_nanoseconds()
        done = self.work()
        self.done += done
        return Spent(self.server.cpu_nanoseconds() - before, done)


@dataclass(frozen=True)
class Spent:
    """CPU time of a server, and what it did in that time."""

    nanoseconds: int
    done: int


def under_load(server: Server, path: str, plan: Plan, depth: int = 1) -> Side:
    """Requests from wrk, in turns of one second: what slows the machine down for some seconds slows all sides."""
    turn = replace(plan, seconds=1)
    return Side(server, lambda: load.send(server, path, turn, depth), done=load.warm_up(server, path, plan, depth))


def microseconds(title: str, sides: Sequence[Side], plan: Plan) -> list[list[float]]:
    """What a unit of work costs: for each side, one figure from each round."""
    rounds: list[list[float]] = []
    for number in range(1, plan.rounds + 1):
        figures = measure_round(sides, plan)
        rounds.append(figures)
        print(f"{title}, round {number} of {plan.rounds}: {in_words(sides, figures)}", file=sys.stderr)
    return [list(figures) for figures in zip(*rounds, strict=True)]


def measure_round(sides: Sequence[Side], plan: Plan) -> list[float]:
    turns = [[side.take_turn() for side in sides] for _ in range(plan.seconds)]
    return [microseconds_each(of_one_side) for of_one_side in zip(*turns, strict=True)]


def microseconds_each(turns: Sequence[Spent]) -> float:
    return sum(turn.nanoseconds for turn in turns) / 1_000 / sum(turn.done for turn in turns)


def in_words(sides: Sequence[Side], figures: Sequence[float]) -> str:
    """`weir 5.640 µs, nginx 6.130 µs (ratio 0.920)`: the ratio of the first side to each other."""
    first, *others = (f"{side.server.name} {figure:.3f} µs" for side, figure in zip(sides, figures, strict=True))
    ratios = (figures[0] / figure for figure in figures[1:])
    return ", ".join([first, *(f"{other} (ratio {ratio:.3f})" for other, ratio in zip(others, ratios, strict=True))])


def cpu_beside(peer: str, work: str, ours: Sequence[float], theirs: Sequence[float], ratio_max: float) -> Row:
    """The ratio is taken round by round, because what disturbs a machine lasts longer than one round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        work=f"{work}: CPU beside {peer}",
        measured=f"{ratio:.2f} ×",
        target=f"≤ {ratio_max:.2f} ×",
        spread=f"{min(ratios):.2f}–{max(ratios):.2f}",
        weir=f"{statistics.median(ours):.2f} µs",
        peer=f"{peer} {statistics.median(theirs):.2f} µs",
        passed=ratio <= ratio_max,
    )
