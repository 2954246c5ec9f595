# SPDX-License-Identifier: Apache-2.0
# What a process uses, as the kernel counts it.

import os
import statistics
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def resident(server):
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_seconds(server):
    """What its threads have run, to the nanosecond; not in ticks, of which short work may have none."""
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def slope(samples):
    """By least squares, of (x, y)."""
    return statistics.linear_regression([x for x, _ in samples], [y for _, y in samples]).slope
