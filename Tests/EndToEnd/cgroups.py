# SPDX-License-Identifier: Apache-2.0
# Real control groups of cgroup v1, below that of the tests: made, limited, and removed when the test is over.

import itertools
import os
from pathlib import Path

import pytest

from polling import eventually

HIERARCHIES = Path("/sys/fs/cgroup")
numbers = itertools.count(1)


class Group:
    """A group of one v1 controller."""

    def __init__(self, controller, parent=None):
        self.mount = (HIERARCHIES / controller).resolve()
        if not (self.mount / "tasks").exists():
            pytest.skip(f"cgroup v1 has no hierarchy of {controller} at {self.mount}")
        if not os.access(self.mount, os.W_OK):
            pytest.skip(f"{self.mount} is not writable")
        self.above = parent.folder if parent else self.mount / own_path(controller).lstrip("/")
        self.folder = self.above / f"weir-test-{os.getpid()}-{next(numbers)}"
        self.folder.mkdir()

    @property
    def path(self):
        """As /proc/self/cgroup has it."""
        return f"/{self.folder.relative_to(self.mount)}"

    def write(self, file, value):
        (self.folder / file).write_text(f"{value}\n")

    def limit_cpus(self, cpus, period=100_000):
        self.write("cpu.cfs_period_us", period)
        self.write("cpu.cfs_quota_us", round(cpus * period))

    def remove(self):
        def removed():
            try:
                self.folder.rmdir()
            except OSError:
                # A process that has ended leaves its group a moment later.
                return False
            return True

        eventually(removed, f"{self.folder} is removed")


def own_path(controller):
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    pytest.skip(f"cgroup v1 has no {controller} controller here")


def entering(*groups):
    """Shell commands that move the shell, and what it becomes, into groups."""
    return "".join(f"echo $$ > '{group.folder}/cgroup.procs'\n" for group in groups)


@pytest.fixture
def group():
    """Makes groups; a group's parent is made before it, and removed after it."""
    groups = []

    def make(controller, parent=None):
        groups.append(Group(controller, parent))
        return groups[-1]

    yield make
    for one in reversed(groups):
        one.remove()
