# SPDX-License-Identifier: Apache-2.0
"""Pods with Weir in front: a fixed number that runs, a bounded queue, who would be late is turned away on arrival, and
who is late is answered 504 at the deadline.

A fluid model: requests are an amount, and all pods share one queue, as they do behind a balancer that looks at load.
"""

from collections import deque
from dataclasses import dataclass, field

# By how much one execution moves the mean that a pod has of them.
WEIGHT = 1 / 64
EPSILON = 1e-9


@dataclass(frozen=True)
class Plan:
    """One pod, and what a request costs."""

    # How many a pod can work at without each taking longer.
    places: float = 4
    # How many Weir lets run: `places` where WEIR_CONCURRENCY is right.
    limit: float = 4
    queue: float = 16
    # What one takes that does not wait, and how long it may take.
    seconds: float = 0.2
    deadline: float = 2.0
    # A request that took longer than it takes alone, by this, is counted as slow.
    delay: float = 0.3
    # From the HPA's word until it is ready.
    start: float = 20.0

    @property
    def capacity(self) -> float:
        """Requests a second that a pod carries."""
        return self.places / self.seconds


@dataclass
class Some:
    """So many that came together, and began together."""

    arrived: float
    amount: float
    began: float = 0.0


@dataclass
class Service:
    plan: Plan
    executing: float = 0.0
    queued: float = 0.0
    arrived: float = 0.0
    # Within the deadline, all of them.
    served: float = 0.0
    # On arrival.
    refused: float = 0.0
    # Let in, and not served at the deadline, or so short of it that it made no sense to begin.
    late: float = 0.0
    slow: float = 0.0
    # How long the slowest took that was served.
    longest: float = 0.0
    # Execution time as Weir has measured it.
    mean: float = field(init=False)
    # Oldest first.
    running: deque[Some] = field(default_factory=deque)
    waiting: deque[Some] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.mean = self.plan.seconds

    @property
    def missed(self) -> float:
        """The deadlines that were not met, whoever said so and when."""
        return self.refused + self.late

    def advance(self, now: float, dt: float, arrivals: float, pods: int, slowness: float) -> float:
        """Works for `dt`; gives how many places were really busy, over all pods."""
        plan = self.plan
        seconds = plan.seconds * slowness
        assert dt <= seconds, "in a step nothing runs twice"
        # What waits for others needs no place of its own to be worked at; places are then Weir's alone.
        places = pods * (plan.places if slowness == 1 else plan.limit)
        busy = min(self.executing, places)
        self._finish(now, min(self.executing, busy / seconds * dt), pods, seconds)
        self._cut(now, dt, pods)
        room = self._begin(now, max(0.0, pods * plan.limit - self.executing))
        self.arrived += arrivals
        self.refused += arrivals - self._admit(now, arrivals, room, pods)
        return busy

    def _finish(self, now: float, amount: float, pods: int, seconds: float) -> None:
        """Those that began first are done first."""
        self.executing -= amount
        self.served += amount
        while amount > EPSILON and self.running:
            first = self.running[0]
            done = min(first.amount, amount)
            amount -= done
            first.amount -= done
            took = now - first.arrived
            self.longest = max(self.longest, took)
            if took - seconds > self.plan.delay + EPSILON:
                self.slow += done
            self._learn(now - first.began, done, pods)
            if first.amount <= EPSILON:
                self.running.popleft()

    def _cut(self, now: float, dt: float, pods: int) -> None:
        """Who cannot be served any more: 504. Those who began first came first."""
        last = now + dt - self.plan.deadline - EPSILON
        while self.running and self.running[0].arrived < last:
            cut = self.running.popleft()
            self.executing -= cut.amount
            self.late += cut.amount
            # It would have taken longer, and says something only where it already did.
            self._learn(max(self.mean, now - cut.began), cut.amount, pods)
        while self.waiting and self.waiting[0].arrived < now - self.plan.deadline + self._reserve - EPSILON:
            cut = self.waiting.popleft()
            self.queued -= cut.amount
            self.late += cut.amount

    def _begin(self, now: float, room: float) -> float:
        """Those that waited longest; gives what room is left."""
        while self.waiting and room > EPSILON:
            first = self.waiting[0]
            moved = min(first.amount, room)
            room -= moved
            first.amount -= moved
            self.queued -= moved
            self.executing += moved
            self.running.append(Some(first.arrived, moved, now))
            if first.amount <= EPSILON:
                self.waiting.popleft()
        return room

    def _admit(self, now: float, arrivals: float, room: float, pods: int) -> float:
        """How many are let in: to run where there is room, else to wait where that can end well."""
        plan = self.plan
        runs = min(arrivals, room)
        if runs > 0:
            self.executing += runs
            self.running.append(Some(now, runs, now))
        in_time = pods * plan.limit * (plan.deadline - self._reserve) / self.mean
        waits = min(arrivals - runs, max(0.0, min(pods * plan.queue, in_time) - self.queued))
        if waits <= 0:
            return runs
        self.queued += waits
        self.waiting.append(Some(now, waits))
        return runs + waits

    @property
    def _reserve(self) -> float:
        """What has to be left of a deadline to begin. Who came with less than the mean is not judged by it."""
        return self.mean if self.mean <= self.plan.deadline else 0.0

    def _learn(self, seconds: float, amount: float, pods: int) -> None:
        """Each pod has its share of them."""
        self.mean += (seconds - self.mean) * (1 - (1 - WEIGHT) ** (amount / max(pods, 1)))
