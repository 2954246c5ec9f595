# SPDX-License-Identifier: Apache-2.0
"""Pods with Weir in front: a fixed number that runs, a bounded queue, and who would be late is turned away on arrival.

A fluid model: requests are an amount, and all pods share one queue, as they do behind a balancer that looks at load.
"""

from dataclasses import dataclass


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
class Service:
    plan: Plan
    executing: float = 0.0
    queued: float = 0.0
    arrived: float = 0.0
    served: float = 0.0
    refused: float = 0.0
    slow: float = 0.0
    refused_until: float = 0.0

    def advance(self, now: float, dt: float, arrivals: float, pods: int, slowness: float) -> float:
        """Works for `dt`; gives how many places were really busy, over all pods."""
        plan = self.plan
        seconds = plan.seconds * slowness
        assert dt <= seconds, "in a step nothing runs twice"
        # What waits for others needs no place of its own to be worked at; places are then Weir's alone.
        places = pods * (plan.places if slowness == 1 else plan.limit)
        rate = places / seconds
        busy = min(self.executing, places)
        done = min(self.executing, busy / seconds * dt)
        self.executing -= done
        self.served += done
        room = max(0.0, pods * plan.limit - self.executing)
        moved = min(room, self.queued)
        self.executing, self.queued, room = self.executing + moved, self.queued - moved, room - moved
        self.arrived += arrivals
        wait = self.queued / rate if rate else float("inf")
        lasts = seconds * max(1.0, self.executing / places) if places else float("inf")
        admitted = 0.0
        if wait + lasts <= plan.deadline:
            runs = min(arrivals, room)
            waits = min(arrivals - runs, max(0.0, pods * plan.queue - self.queued))
            self.executing, self.queued, admitted = self.executing + runs, self.queued + waits, runs + waits
        if arrivals - admitted > 1e-9:
            self.refused += arrivals - admitted
            self.refused_until = now
        if wait + lasts - seconds > plan.delay:
            self.slow += admitted
        return busy
