# SPDX-License-Identifier: Apache-2.0
# What holds the pod up from outside, on kernels that this machine need not have: the process finds a control group of
# version 2 in a folder of the test's, by what it reads of itself in /proc.

from pathlib import Path

import pytest

from server import GATEWAY, Server
from test_budget import in_namespaces, is_served

STALL = "weir_pressure_seconds_total"
THROTTLING = ("periods", "throttled_periods", "throttled_seconds")
KINDS = [("cpu", "some"), ("cpu", "full"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full")]


def pressure(some, full):
    averages = "avg10=1.50 avg60=0.80 avg300=0.20"
    return f"some {averages} total={some}\nfull {averages} total={full}\n"


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def seconds(scope, *found):
    """The stalls by their metrics; of those in KINDS, in their order."""
    return {
        f'{STALL}{{resource="{resource}",kind="{kind}",scope="{scope}"}}': value
        for (resource, kind), value in zip(KINDS, found, strict=True)
        if value is not None
    }


@pytest.fixture
def machine(tmp_path):
    """Starts a gateway in /pod/container of a hierarchy whose files are given, on a machine whose own stalls are."""
    servers = []
    hierarchy, node = tmp_path / "cgroup", tmp_path / "node"

    def start(files, stalls=None):
        hierarchy.mkdir()
        node.mkdir()
        write(hierarchy, {"pod/container/cgroup.type": "domain\n", "pod/cgroup.type": "domain\n", **files})
        write(node, stalls or {})
        (tmp_path / "own").write_text("0::/pod/container\n")
        (tmp_path / "mounts").write_text(f"30 23 0:28 / {hierarchy} rw - cgroup2 cgroup2 rw\n")
        commands = f"mount --bind {tmp_path}/own /proc/$$/cgroup\nmount --bind {tmp_path}/mounts /proc/$$/mountinfo\n"
        if Path("/proc/pressure").is_dir():
            commands += f"mount --bind {node} /proc/pressure\n"
        inside = in_namespaces(commands, "mount")
        servers.append(Server(binary="sh", arguments=["-e", "-c", inside, "sh", GATEWAY]))
        assert is_served(servers[-1])
        return servers[-1], hierarchy

    yield start
    for server in servers:
        server.stop()


def told(server, name=STALL):
    return {key: value for key, value in server.metrics().items() if key.startswith(name)}


OWN = {
    "pod/container/cpu.pressure": pressure(2_500_000, 500_000),
    "pod/container/memory.pressure": pressure(1_000_000, 250_000),
    "pod/container/io.pressure": pressure(4_000_000, 3_000_000),
}
NODE = {"cpu": pressure(9_000_000, 0), "memory": pressure(8_000_000, 7_000_000), "io": pressure(6_000_000, 5_000_000)}


def test_the_stalls_of_the_own_group_are_told_each_of_them(machine):
    server, hierarchy = machine(OWN, NODE)
    assert told(server) == seconds("cgroup", 2.5, 0.5, 1, 0.25, 4, 3)
    # At each scrape anew.
    write(hierarchy, {"pod/container/memory.pressure": pressure(1_500_000, 750_000)})
    assert told(server) == seconds("cgroup", 2.5, 0.5, 1.5, 0.75, 4, 3)


def test_where_the_group_says_nothing_those_of_the_node_are_told(machine):
    if not Path("/proc/pressure").is_dir():
        # There is no place to put them: a kernel without PSI has no series, which is what is shown here.
        assert told(machine({})[0]) == {}
        return
    assert told(machine({}, NODE)[0]) == seconds("node", 9, None, 8, 7, 6, 5)


def test_a_resource_at_a_time(machine):
    server, _ = machine({name: OWN[name] for name in ["pod/container/io.pressure"]}, {})
    assert told(server) == seconds("cgroup", None, None, None, None, 4, 3)


def test_a_kernel_without_stalls_has_no_series_and_no_zero(machine):
    server, _ = machine({}, {})
    assert told(server) == {}
    assert STALL not in server.ask_admin("/metrics")[1]


@pytest.mark.parametrize("text", ["", "some\n", "some avg10=0.00 total=x\n", "\0\1\2", "some total=" + "9" * 40 + "\n"])
def test_what_no_kernel_writes_is_not_told(machine, text):
    server, _ = machine({"pod/container/memory.pressure": text}, {})
    assert told(server) == {}


def quota(periods, throttled, microseconds):
    return f"usage_usec 900\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {microseconds}\nnr_bursts 0\n"


def throttling(server):
    metrics = server.metrics()
    return {
        group: tuple(metrics[f'weir_cpu_{name}_total{{group="{group}"}}'] for name in THROTTLING)
        for group in ("own", "above")
        if f'weir_cpu_periods_total{{group="{group}"}}' in metrics
    }


def test_the_throttling_of_version_2_is_told_of_the_group_and_of_those_above(machine):
    server, hierarchy = machine({
        "pod/container/cpu.stat": quota(120, 30, 4_500_000),
        "pod/cpu.stat": quota(200, 20, 1_250_000),
        "cpu.stat": "usage_usec 900\n",
    })  # fmt: skip
    assert throttling(server) == {"own": (120, 30, 4.5), "above": (200, 20, 1.25)}
    write(hierarchy, {"pod/container/cpu.stat": quota(130, 35, 5_000_000)})
    assert throttling(server) == {"own": (130, 35, 5), "above": (200, 20, 1.25)}


def test_a_group_without_a_quota_has_no_series(machine):
    server, _ = machine({"pod/container/cpu.stat": "usage_usec 900\nuser_usec 500\n"})
    assert throttling(server) == {}
