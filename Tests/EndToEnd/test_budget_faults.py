# SPDX-License-Identifier: Apache-2.0
# The files of the pod's budget where they say what no kernel writes, or cannot be read: what `weir budget` says of them,
# and that the gateway starts with what it falls back to.

import json
import os
import subprocess

import pytest

from cgroups import entering, group  # noqa: F401: a fixture
from server import GATEWAY, Server
from test_budget import MIB, budget, cpu_count, in_namespaces, is_served, source

FAULTS = {
    "missing": ("true", "missing"),
    "empty": (": > {file}", "malformed"),
    "garbage": ("echo many > {file}", "malformed"),
    "negative": ("echo -7 > {file}", "malformed"),
    "enormous": ("echo 99999999999999999999999 > {file}", "malformed"),
    "binary": ("head -c 4096 /dev/urandom > {file}", "malformed"),
    "huge": ("head -c 4194304 /dev/zero > {file}", "malformed"),
    "folder": ("mkdir {file}", "unreadable"),
    "unreadable": ("ln -s {file} {file}", "unreadable"),
    "pipe": ("mkfifo {file}", "malformed"),
    "endless": ("ln -s /dev/zero {file}", "malformed"),
}


def faulty(fault, file):
    """Shell commands that cover the folder of `file`, a path, and put a fault in the file's place."""
    folder = os.path.dirname(file)
    return f"mount -t tmpfs none {folder}\n" + FAULTS[fault][0].format(file=file)


# In whose place the fault is, by the controller.
RESOURCES = {
    "cpu": "cpu.cfs_quota_us",
    "memory": "memory.limit_in_bytes",
    "pids": "pids.max",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("controller", RESOURCES)
def test_the_gateway_starts_whatever_the_files_say_and_says_which_it_could_not_read(group, controller, fault):
    resource = "tasks" if controller == "pids" else controller
    made = group(controller)
    file = f"{made.folder}/{RESOURCES[controller]}"
    inside = entering(made) + in_namespaces(faulty(fault, file), "mount")
    found = budget(before=inside)
    assert source(found[resource], file)["means"] == FAULTS[fault][1]
    assert found[resource]["decided_by"] != file
    expect_start(inside, found)


def expect_start(inside, found):
    """Starts the gateway where `weir budget` said this: it has what it fell back to, and serves."""
    server = Server(binary="sh", arguments=["-e", "-c", inside, "sh", GATEWAY])
    try:
        assert is_served(server)
        metrics, shown = server.metrics(), json.loads(server.ask_admin("/config")[1])["budget"]
        for resource in ("cpu", "memory", "tasks"):
            for key in ("amount", "decided_by"):
                assert shown[resource][key] == found[resource][key], resource
        assert metrics["weir_loops"] == found["cpu"]["threads"] == cpu_count()
        # Without a budget there is no bound, which is told as 0.
        assert metrics["weir_buffer_limit_bytes"] == (found["sizes"]["WEIR_BUFFER_MEMORY"] or 0)
    finally:
        server.stop()


# In place of /proc/meminfo, whose folder cannot be covered: what has no words for memory says nothing.
MACHINE_FAULTS = {
    **{fault: (FAULTS[fault][0], "nothing") for fault in ["empty", "garbage", "binary", "huge", "pipe", "endless"]},
    "socket": ("""python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("{file}")'""", "unreadable"),
    "words": ("echo MemTotal: lots kB > {file}", "malformed"),
    "another unit": ("echo MemTotal: 16 GB > {file}", "malformed"),
    "enormous": ("echo MemTotal: 99999999999999999999 kB > {file}", "malformed"),
    "none": ("echo MemTotal: 0 kB > {file}", "malformed"),
}


@pytest.mark.release
@pytest.mark.parametrize("fault", ["missing", *MACHINE_FAULTS])
@pytest.mark.parametrize("limit", [None, 64 * MIB], ids=["without a limit", "with a limit"])
def test_a_machine_that_does_not_say_its_memory_has_that_of_its_group(group, tmp_path, fault, limit):
    memory, file = group("memory"), tmp_path / "meminfo"
    if limit:
        memory.write("memory.limit_in_bytes", limit)
    if fault == "missing":
        covered, means = "mount -t proc -o subset=pid proc /proc", "missing"
    else:
        subprocess.run(["sh", "-e", "-c", MACHINE_FAULTS[fault][0].format(file=file)], check=True)
        covered, means = f"mount --bind {file} /proc/meminfo", MACHINE_FAULTS[fault][1]
    inside = entering(memory) + in_namespaces(covered, "mount")
    found = budget(before=inside)
    assert source(found["memory"], "/proc/meminfo")["means"] == means
    assert found["memory"]["amount"] == limit
    expect_start(inside, found)


UNREADABLE = {
    "no /sys": "mount -t tmpfs none /sys",
    "nothing of groups": "mount --bind /dev/null /proc/$$/cgroup",
    "nothing of mounts": "mount --bind /dev/null /proc/$$/mountinfo",
    "binary for groups": "mount --bind /bin/true /proc/$$/cgroup",
    "binary for mounts": "mount --bind /bin/true /proc/$$/mountinfo",
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_gateway_that_cannot_find_its_group_has_its_affinity(group, fault):
    cpu = group("cpu")
    cpu.limit_cpus(0.5)
    inside = entering(cpu) + in_namespaces(UNREADABLE[fault], "mount")
    server = Server(binary="sh", arguments=["-e", "-c", inside, "sh", GATEWAY])
    try:
        assert is_served(server)
        found = json.loads(server.ask_admin("/config")[1])["budget"]
        assert found["cpu"]["amount"] == cpu_count()
        assert server.metrics()["weir_loops"] == cpu_count()
    finally:
        server.stop()


def test_files_that_are_missing_are_said():
    found = budget(before=in_namespaces("mount -t tmpfs none /sys", "mount"))["cpu"]
    assert source(found, "/sys/devices/system/cpu/online")["means"] == "missing"
    assert found["decided_by"] == "affinity"
