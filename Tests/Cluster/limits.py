# SPDX-License-Identifier: Apache-2.0
# The control groups (v1) of a container: what it may use of the CPU, and what it has used.

import re
from pathlib import Path

from polling import eventually

HIERARCHIES = Path("/sys/fs/cgroup")
PERIOD_MICROSECONDS = 100_000
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1e3, "M": 1e6, "G": 1e9}


def quantity(text):
    """A quantity of Kubernetes as a number."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


class Limits:
    CONTROLLERS = ("cpu", "cpuacct")

    def __init__(self, name, cpu=None):
        self.folders = {controller: HIERARCHIES / controller / "weir-cluster" / name for controller in self.CONTROLLERS}
        for folder in self.folders.values():
            folder.mkdir(parents=True)
        if cpu:
            (self.folders["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            # The kernel takes no less than a millisecond.
            quota = max(round(quantity(cpu) * PERIOD_MICROSECONDS), 1000)
            (self.folders["cpu"] / "cpu.cfs_quota_us").write_text(str(quota))

    @property
    def entering(self):
        """What a command begins with that is to run inside."""
        enter = "".join(f"echo $$ > '{folder}/cgroup.procs' && " for folder in self.folders.values())
        return ["sh", "-c", f'{enter}exec "$@"', "sh"]

    @property
    def used_seconds(self):
        return int((self.folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9

    def remove(self):
        for folder in self.folders.values():
            eventually(lambda: _is_removed(folder), f"{folder} is removed")


def remove_old():
    """What a run that was killed has left: groups without processes."""
    for controller in Limits.CONTROLLERS:
        parent = HIERARCHIES / controller / "weir-cluster"
        for folder in [*parent.glob("*"), parent]:
            _is_removed(folder)


def _is_removed(folder):
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        # A process that has ended leaves its group a moment later.
        return False
    return True
