# SPDX-License-Identifier: Apache-2.0
"""How long single decisions of the hot path take, on one thread and on two, against the limits that they have to keep."""

from dataclasses import dataclass

import micro
from report import Row
from tools import BenchmarkError, Products, run


@dataclass(frozen=True)
class Decision:
    """One of the benchmarks of `Micro`. `scaling_min` is how much more two threads do than one."""

    name: str
    work: str
    nanoseconds_max: float
    scaling_min: float | None = None


DECISIONS = (
    *(Decision(f"limiter-{name}", f"limiter, {name}", 15) for name in ("gcra", "slidingWindow", "tokenBucket")),
    *(
        Decision(f"limiter-keyed-{name}", f"limiter by key, {name}, a million keys", 60, scaling_min=1.8)
        for name in ("gcra", "slidingWindow", "tokenBucket")
    ),
    Decision("limiter-refused", "refused by a limiter", 200),
    Decision("admission", "admission, enter and leave", 40),
    Decision("admission-refused", "refused by a full pool", 200),
    Decision("balancing-least-latency-3", "an endpoint of 3, by latency", 50),
    Decision("balancing-least-latency-1000", "an endpoint of 1,000, by latency", 200),
)


def rows(products: Products) -> list[Row]:
    output = run(products.micro, *(decision.name for decision in DECISIONS)).stdout
    taken = micro.nanoseconds(output)
    return [row for decision in DECISIONS for row in _rows(decision, taken)]


def _rows(decision: Decision, taken: dict[tuple[str, int], float]) -> list[Row]:
    try:
        alone, of_two = taken[decision.name, 1], taken[decision.name, 2]
    except KeyError:
        raise BenchmarkError(f"Micro did not time {decision.name}") from None
    found = [
        Row(
            work=f"{decision.work}: CPU time",
            measured=f"{alone:.0f} ns",
            target=f"≤ {decision.nanoseconds_max:.0f} ns",
            passed=alone <= decision.nanoseconds_max,
        )
    ]
    if decision.scaling_min is not None:
        # Each thread's time for one, so both together do twice as many in it.
        scaling = 2 * alone / of_two
        found.append(
            Row(
                work=f"{decision.work}: two threads beside one",
                measured=f"{scaling:.2f} ×",
                target=f"≥ {decision.scaling_min:.1f} ×",
                passed=scaling >= decision.scaling_min,
            )
        )
    return found
