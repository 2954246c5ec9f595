# SPDX-License-Identifier: Apache-2.0
# What `weir budget` says in control groups of version 2, and the gateway in one. In the guest of test_cgroup_v2.py.

import json
import subprocess

import pytest

from groups import ROOT, Group
from polling import PATIENCE_SECONDS, eventually
from server import GATEWAY, Server, environment

MEBIBYTE = 1 << 20
# A system call costs several times as much in the guest.
GUEST_SECONDS = 6 * PATIENCE_SECONDS


@pytest.fixture
def group():
    """Makes groups; one above is made before those below, and removed after them."""
    groups = []

    def make(parent=None):
        groups.append(Group(parent))
        return groups[-1]

    yield make
    for made in reversed(groups):
        made.remove()


def budget(before):
    """What it says in a shell that has run other commands before."""
    result = subprocess.run(
        ["sh", "-e", "-c", f'{before}\nexec "$@"', "sh", GATEWAY, "budget", "--json"],
        env=environment({}),
        capture_output=True,
        timeout=GUEST_SECONDS,
    )
    assert (result.returncode, result.stderr) == (0, b""), result.stderr
    return json.loads(result.stdout)


def decision(resource):
    return resource["amount"], resource["decided_by"]


def test_a_quota_is_the_budget_as_it_changes(group):
    container = group()
    for cpus in (0.5, 0.25, 0.75):
        container.limit_cpus(cpus)
        assert decision(budget(container.enter())["cpu"]) == (cpus, f"{container.folder}/cpu.max")
    container.write("cpu.max", "max")
    assert budget(container.enter())["cpu"]["amount"] == 1


def test_the_smallest_quota_of_all_groups_above_counts(group):
    pod = group()
    container = group(pod)
    pod.limit_cpus(0.5)
    assert decision(budget(container.enter())["cpu"]) == (0.5, f"{pod.folder}/cpu.max")
    container.limit_cpus(0.125)
    assert decision(budget(container.enter())["cpu"]) == (0.125, f"{container.folder}/cpu.max")
    container.limit_cpus(0.75)
    assert decision(budget(container.enter())["cpu"]) == (0.5, f"{pod.folder}/cpu.max")


def test_memory_max_and_memory_high_are_limits(group):
    pod = group()
    container = group(pod)
    pod.write("memory.max", 96 * MEBIBYTE)
    found = budget(container.enter())["memory"]
    assert decision(found) == (96 * MEBIBYTE, f"{pod.folder}/memory.max")
    assert 0 < found["used"] < 96 * MEBIBYTE
    container.write("memory.high", 64 * MEBIBYTE)
    assert decision(budget(container.enter())["memory"]) == (64 * MEBIBYTE, f"{container.folder}/memory.high")
    container.write("memory.max", 48 * MEBIBYTE)
    assert decision(budget(container.enter())["memory"]) == (48 * MEBIBYTE, f"{container.folder}/memory.max")


def test_pids_max_is_the_limit_of_tasks(group):
    pod = group()
    pod.write("pids.max", 77)
    assert decision(budget(group(pod).enter())["tasks"]) == (77, f"{pod.folder}/pids.max")


def test_in_a_namespace_of_its_own_the_container_is_the_root(group):
    pod = group()
    container = group(pod)
    pod.limit_cpus(0.5)
    container.limit_cpus(0.25)
    container.write("memory.max", 64 * MEBIBYTE)
    mounted = f"umount {ROOT}\nmount -t cgroup2 cgroup2 {ROOT}\n"
    namespaces = f"""exec unshare --cgroup --mount sh -e -c '{mounted}exec "$@"' sh "$@"\n"""
    found = budget(container.enter() + namespaces)
    assert decision(found["cpu"]) == (0.25, f"{ROOT}/cpu.max")
    assert decision(found["memory"]) == (64 * MEBIBYTE, f"{ROOT}/memory.max")


def expect_throttling(server, container):
    """What the gateway tells of its group is between what the kernel counted before and after."""
    before = container.statistics("cpu.stat")
    metrics = server.metrics()
    after = container.statistics("cpu.stat")
    for name, file, unit in [
        ("periods", "nr_periods", 1),
        ("throttled_periods", "nr_throttled", 1),
        ("throttled_seconds", "throttled_usec", 1e6),
    ]:
        told = metrics[f'weir_cpu_{name}_total{{group="own"}}']
        assert 0 < before[file] / unit <= told <= after[file] / unit, (name, before, told, after)


def test_the_gateway_serves_while_its_quota_changes(group):
    pod = group()
    container = group(pod)
    pod.write("memory.max", 64 * MEBIBYTE)
    container.limit_cpus(0.5)
    server = Server(binary="sh", arguments=["-e", "-c", container.enter() + 'exec "$@"', "sh", GATEWAY])
    try:
        assert server.metric("weir_loops") == 1
        with server.connect() as wire:
            for cpus in (0.5, 0.1, 0.5):
                container.limit_cpus(cpus)
                for _ in range(20):
                    assert wire.get().status == 200
                shown = json.loads(server.ask_admin("/config")[1])["budget"]["cpu"]
                assert decision(shown) == (cpus, f"{container.folder}/cpu.max")

            def throttled():
                assert wire.get().status == 200
                return container.statistics("cpu.stat")["nr_throttled"] > 0

            # The kernel holds it to what it says: it is no number in a file only.
            container.limit_cpus(0.05)
            eventually(throttled, "the quota holds the gateway back", GUEST_SECONDS)
            expect_throttling(server, container)
        events = pod.statistics("memory.events")
        assert (events["oom"], events["oom_kill"]) == (0, 0)
    finally:
        server.stop()
