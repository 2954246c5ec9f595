# SPDX-License-Identifier: Apache-2.0
# Control groups of version 2, as a kubelet makes them for pods and containers.

import itertools
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ["cpu", "memory", "pids"]
PERIOD_MICROSECONDS = 100_000
NUMBERS = itertools.count()


class Group:
    """A group with the controllers; only one without groups below may have processes."""

    def __init__(self, parent=None):
        above = parent.folder if parent else ROOT
        (above / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in CONTROLLERS))
        self.folder = above / f"weir-{next(NUMBERS)}"
        self.folder.mkdir()

    def write(self, file, value):
        (self.folder / file).write_text(f"{value}")

    def limit_cpus(self, cpus):
        self.write("cpu.max", f"{round(cpus * PERIOD_MICROSECONDS)} {PERIOD_MICROSECONDS}")

    def statistics(self, file):
        return {name: int(value) for name, value in (line.split() for line in (self.folder / file).open())}

    def enter(self):
        """Shell commands after which the shell is in it, and what it runs."""
        return f"echo $$ > {self.folder}/cgroup.procs\n"

    def remove(self):
        self.folder.rmdir()
