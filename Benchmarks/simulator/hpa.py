# SPDX-License-Identifier: Apache-2.0
"""The HPA of Kubernetes by its own rules (pkg/controller/podautoscaler: replica_calculator.go, horizontal.go), without
clock or cluster: what it is told goes in, how many replicas it asks for comes out."""

import math
from dataclasses import dataclass, field

TOLERANCE = 0.1
# Ratios of floating-point numbers: 1.1 is within the tolerance, as it is with the thousandths of Kubernetes.
EPSILON = 1e-9


def within_tolerance(ratio: float) -> bool:
    return abs(1 - ratio) <= TOLERANCE + EPSILON


def ceiling(value: float) -> int:
    return math.ceil(value - EPSILON)


def wanted(current: int, values: dict[str, float | None], unready: set[str], target: float) -> int:
    """How many replicas a metric of pods asks for.

    `values` has each pod that was not told to end; None for one without a value, which counts as 0 where more would be
    asked for, and as the target where fewer would. `unready` ones count as 0 where more would be asked for.
    """
    missing = {pod for pod, value in values.items() if value is None and pod not in unready}
    known = {pod: value for pod, value in values.items() if value is not None and pod not in unready}
    if not known:
        return current
    ratio = sum(known.values()) / len(known) / target
    fills_unready = bool(unready) and ratio > 1
    if not fills_unready and not missing:
        return current if within_tolerance(ratio) else ceiling(ratio * len(known))
    for pod in missing:
        known[pod] = target if ratio < 1 else 0.0
    if fills_unready:
        known.update(dict.fromkeys(unready, 0.0))
    again = sum(known.values()) / len(known) / target
    if within_tolerance(again) or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    replicas = ceiling(again * len(known))
    if (again < 1 and replicas > current) or (again > 1 and replicas < current):
        return current
    return replicas


def wanted_of_sum(current: int, total: float, target: float) -> int:
    """How many replicas a metric of one value for all pods asks for (External or Object, AverageValue)."""
    return current if within_tolerance(total / (target * current)) else ceiling(total / target)


@dataclass(frozen=True)
class Policy:
    """`pods` or `percent` of the replicas at the beginning of the period may come or go within it."""

    seconds: float
    percent: float = 0
    pods: int = 0


@dataclass(frozen=True)
class Behavior:
    """The defaults are those of the manifests and the chart."""

    up: tuple[Policy, ...] = (Policy(15, percent=900),)
    down: tuple[Policy, ...] = (Policy(60, percent=50),)
    up_window: float = 0
    down_window: float = 300


# What Kubernetes takes where nothing is said.
KUBERNETES_DEFAULT = Behavior(up=(Policy(15, percent=100), Policy(15, pods=4)), down=(Policy(15, percent=100),))


@dataclass
class HPA:
    least: int
    most: int
    behavior: Behavior = field(default_factory=Behavior)
    # Both by time, oldest first.
    recommendations: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, current: int, asked: int) -> int:
        """What becomes of what a metric asks for: stabilized, and then no faster than the policies allow."""
        replicas = self._stabilized(now, current, asked)
        if replicas > current:
            replicas = min(replicas, self._up_limit(now, current))
        elif replicas < current:
            replicas = max(replicas, self._down_limit(now, current))
        replicas = min(max(replicas, self.least), self.most)
        if replicas != current:
            self.changes.append((now, replicas - current))
        return replicas

    def _stabilized(self, now: float, current: int, asked: int) -> int:
        """At least the lowest of the one window, and at most the highest of the other, where that is a change."""
        windows = self.behavior.up_window, self.behavior.down_window
        self.recommendations = [one for one in self.recommendations if now - one[0] < max(*windows, 1)]
        lowest = min([asked, *(count for at, count in self.recommendations if now - at < windows[0])])
        highest = max([asked, *(count for at, count in self.recommendations if now - at < windows[1])])
        self.recommendations.append((now, asked))
        return min(max(current, lowest), highest)

    def _at_begin(self, now: float, current: int, policy: Policy) -> int:
        """How many there were when the policy's period began: what was added and what was removed since counts."""
        return current - sum(change for at, change in self.changes if now - at < policy.seconds)

    def _up_limit(self, now: float, current: int) -> int:
        def limit(policy: Policy) -> int:
            begin = self._at_begin(now, current, policy)
            return begin + policy.pods if policy.pods else ceiling(begin * (1 + policy.percent / 100))

        return max(limit(policy) for policy in self.behavior.up)

    def _down_limit(self, now: float, current: int) -> int:
        def limit(policy: Policy) -> int:
            begin = self._at_begin(now, current, policy)
            return begin - policy.pods if policy.pods else int(begin * (1 - policy.percent / 100))

        return min(limit(policy) for policy in self.behavior.down)
