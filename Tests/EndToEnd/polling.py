# SPDX-License-Identifier: Apache-2.0
# Waiting for a condition instead of sleeping and hoping.

import time

# Far above what anything here takes; it only bounds how long a failing test hangs.
PATIENCE_SECONDS = 10


def eventually(condition, what, seconds=PATIENCE_SECONDS):
    """Returns the first true value of `condition()`; fails when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"within {seconds} s: {what}"
        time.sleep(0.01)
