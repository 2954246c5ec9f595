# SPDX-License-Identifier: Apache-2.0
# How an HPA takes pods away again: each change with when it was seen, and whether any came sooner than its policy lets.

import dataclasses
import time


@dataclasses.dataclass(frozen=True)
class Change:
    """The number that was asked for went down between `since` and `until`, seconds from the fall of the load on."""

    before: int
    after: int
    since: float
    until: float


@dataclasses.dataclass
class Descent:
    window: float
    period: float
    changes: list = dataclasses.field(default_factory=list)

    def faults(self, slack):
        """What was for certain sooner than the window, or more than half of the pods in a period.

        `slack` is how long before the fall the HPA may have looked last. The times are those of whoever looks, so what
        may have been in order is taken to have been.
        """
        if not self.changes:
            yield "no pod was taken away"
            return
        first = self.changes[0]
        if first.until < self.window - slack:
            yield f"{first.after} pods after {first.until:.1f} s, within the window"
        for index, last in enumerate(self.changes):
            within = [one for one in self.changes[:index] if last.until - one.since < self.period]
            begun = [*within, last][0].before
            # As the HPA does, to whole pods towards zero.
            if last.after < begun // 2:
                yield f"{last.after} pods after {last.until:.1f} s, of {begun} within {self.period} s"

    def __str__(self):
        return ", ".join(f"{one.before} to {one.after} after {one.until:.0f} s" for one in self.changes)


def follow(count, to, descent, seconds):
    """Looks at `count()` until it has gone down to `to`; what it does upwards before that is not noted."""
    begin = time.monotonic()
    before, seen = count(), 0.0
    while True:
        time.sleep(0.2)
        asked = time.monotonic() - begin
        now = count()
        at = time.monotonic() - begin
        if now < before:
            descent.changes.append(Change(before, now, seen, at))
        # It was so many when it was asked for, or later.
        before, seen = now, asked
        if before == to:
            return descent
        assert at < seconds, f"within {seconds} s: {to} pods are left; it has gone {descent}"
