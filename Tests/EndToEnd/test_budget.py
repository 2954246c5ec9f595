# SPDX-License-Identifier: Apache-2.0
# What `weir budget` says of this machine: in control groups that are made for it, under mounts and in namespaces such as
# containers have. What no kernel writes is in test_budget_faults.py.

import json
import os
import re
import subprocess
import urllib.request

import pytest

from certificates import Authority
from cgroups import entering, group  # noqa: F401: a fixture
from load import load
from polling import PATIENCE_SECONDS, eventually
from server import BINARY, GATEWAY, Server, environment, run_to_failure

MIB = 1 << 20


def run(*arguments, before="", cpus=None, **settings):
    """Runs `weir budget` in a shell that has run other commands before; gives its output."""
    result = subprocess.run(
        ["sh", "-e", "-c", f'{before}\nexec "$@"', "sh", GATEWAY, "budget", *arguments],
        env=environment(settings),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
    )
    assert (result.returncode, result.stderr) == (0, b""), result.stderr
    return result.stdout.decode()


def budget(*arguments, **options):
    return json.loads(run("--json", *arguments, **options))


def source(resource, name):
    found = [one for one in resource["sources"] if one["name"] == name]
    assert len(found) == 1, resource["sources"]
    return found[0]


def in_namespaces(commands, *namespaces):
    """Shell commands after which the rest runs in namespaces of its own, behind `commands` there."""
    flags = " ".join(f"--{name}" for name in namespaces)
    return f"""exec unshare {flags} sh -e -c '{commands}\nexec "$@"' sh "$@"\n"""


def is_served(server):
    with urllib.request.urlopen(f"{server.url}/hello", timeout=PATIENCE_SECONDS) as response:
        return response.status == 200


def cpu_count():
    return len(os.sched_getaffinity(0))


# Groups


def test_a_quota_is_the_budget(group):
    cpu = group("cpu")
    cpu.limit_cpus(0.5)
    found = budget(before=entering(cpu))
    quota = f"{cpu.folder}/cpu.cfs_quota_us"
    assert found["cpu"]["amount"] == 0.5
    assert (found["cpu"]["threads"], found["cpu"]["rounding"]) == (1, "up")
    assert found["cpu"]["decided_by"] == quota
    assert source(found["cpu"], quota) == {
        "name": quota, "role": "limit", "said": "50000 100000", "means": "amount", "amount": 0.5,
    }
    assert source(found["cpu"], "/proc/self/cgroup")["said"].endswith(f":cpu:{cpu.path}") or "," in str(cpu.mount)
    assert found["sizes"]["WEIR_LOOPS"] == 1


def test_a_group_above_limits_further(group):
    pod = group("cpu")
    container = group("cpu", pod)
    pod.limit_cpus(0.7, period=50_000)
    found = budget(before=entering(container))["cpu"]
    assert (found["amount"], found["decided_by"]) == (0.7, f"{pod.folder}/cpu.cfs_quota_us")
    assert source(found, f"{container.folder}/cpu.cfs_quota_us")["means"] == "unlimited"
    container.limit_cpus(0.25)
    found = budget(before=entering(container))["cpu"]
    assert (found["amount"], found["decided_by"]) == (0.25, f"{container.folder}/cpu.cfs_quota_us")
    names = [one["name"] for one in found["sources"] if one["name"].endswith("cpu.cfs_quota_us")]
    assert names[:2] == [f"{container.folder}/cpu.cfs_quota_us", f"{pod.folder}/cpu.cfs_quota_us"]


def test_a_quota_that_changes_is_seen(group):
    cpu = group("cpu")
    for cpus in (0.1, 0.9, 0.3):
        cpu.limit_cpus(cpus)
        assert budget(before=entering(cpu))["cpu"]["amount"] == cpus
    cpu.write("cpu.cfs_quota_us", -1)
    assert budget(before=entering(cpu))["cpu"]["amount"] == cpu_count()


@pytest.mark.skipif(cpu_count() < 2, reason="one CPU is never rounded")
@pytest.mark.parametrize("rounding, threads", [("up", 2), ("nearest", 1), ("down", 1)])
def test_a_part_of_a_cpu_is_rounded_as_it_is_set(group, rounding, threads):
    cpu = group("cpu")
    cpu.limit_cpus(1.3)
    found = budget(before=entering(cpu), WEIR_CPU_ROUNDING=rounding)
    assert (found["cpu"]["amount"], found["cpu"]["threads"]) == (1.3, threads)
    assert found["sizes"]["WEIR_LOOPS"] == threads


def test_the_request_counts_only_without_a_quota(group):
    cpu = group("cpu")
    found = budget(before=entering(cpu), WEIR_CPU_REQUEST="300m")["cpu"]
    assert (found["amount"], found["decided_by"]) == (0.3, "WEIR_CPU_REQUEST")
    cpu.limit_cpus(0.8)
    found = budget(before=entering(cpu), WEIR_CPU_REQUEST="300m")["cpu"]
    assert (found["amount"], source(found, "WEIR_CPU_REQUEST")["amount"]) == (0.8, 0.3)


def test_the_affinity_is_a_bound():
    one = {min(os.sched_getaffinity(0))}
    found = budget(cpus=one)["cpu"]
    assert source(found, "affinity")["amount"] == 1
    assert (found["amount"], found["threads"]) == (1, 1)


@pytest.mark.release
def test_a_memory_limit_is_the_budget_and_sizes_follow(group):
    memory = group("memory")
    memory.write("memory.limit_in_bytes", 64 * MIB)
    found = budget(before=entering(memory))
    assert found["memory"]["amount"] == 64 * MIB
    assert found["memory"]["decided_by"] == f"{memory.folder}/memory.limit_in_bytes"
    assert 0 < found["memory"]["used"] < 64 * MIB
    assert found["sizes"]["WEIR_RATE_LIMIT_TABLE"] == 256 << 10
    assert found["sizes"]["WEIR_CONNECTIONS"] <= 512
    assert (found["sizes"]["WEIR_BUFFER_MEMORY"], found["sizes"]["WEIR_SOCKET_BUFFER"]) == (16 * MIB, 16 << 10)
    memory.write("memory.limit_in_bytes", 32 * MIB)
    assert budget(before=entering(memory))["memory"]["amount"] == 32 * MIB
    given = budget(before=entering(memory), WEIR_RATE_LIMIT_TABLE="2MiB", WEIR_CONNECTIONS=7)["sizes"]
    assert (given["WEIR_RATE_LIMIT_TABLE"], given["WEIR_CONNECTIONS"]) == (2 * MIB, 7)


def test_a_memory_limit_above_counts_also_where_its_group_is_not_shown(group):
    pod = group("memory")
    container = group("memory", pod)
    pod.write("memory.limit_in_bytes", 48 * MIB)
    found = budget(before=entering(container))["memory"]
    assert found["amount"] == 48 * MIB
    assert source(found, f"{container.folder}/memory.limit_in_bytes")["means"] == "unlimited"
    # As in a container: its own group is all that is mounted.
    bound = f"mount --bind {container.folder} {container.mount}"
    found = budget(before=entering(container) + in_namespaces(bound, "mount"))["memory"]
    assert found["amount"] == 48 * MIB
    assert found["decided_by"] == f"{container.mount}/memory.stat hierarchical_memory_limit"


def test_a_limit_of_tasks_and_descriptors(group):
    pids = group("pids")
    pids.write("pids.max", 77)
    found = budget(before=entering(pids) + "ulimit -n 100\n")
    assert (found["tasks"]["amount"], found["tasks"]["decided_by"]) == (77, f"{pids.folder}/pids.max")
    assert found["descriptors"]["amount"] == 100
    assert found["sizes"]["WEIR_CONNECTIONS"] == 47


# Namespaces and mounts


def test_a_container_in_the_hosts_namespace_finds_its_group_under_the_mounts_root(group):
    cpu = group("cpu")
    inner = group("cpu", cpu)
    cpu.limit_cpus(0.5)
    bound = f"mount --bind {cpu.folder} {cpu.mount}"
    found = budget(before=entering(inner) + in_namespaces(bound, "mount"))["cpu"]
    assert (found["amount"], found["decided_by"]) == (0.5, f"{cpu.mount}/cpu.cfs_quota_us")
    name = inner.folder.name
    assert source(found, f"{cpu.mount}/{name}/cpu.cfs_quota_us")["means"] == "unlimited"
    assert source(found, "/proc/self/cgroup")["said"].endswith(inner.path)


def test_a_private_namespace_with_mounts_of_its_own(group):
    cpu = group("cpu")
    cpu.limit_cpus(0.5)
    controllers = "cpu" if "," not in cpu.mount.name else cpu.mount.name
    mounted = f"umount -l {cpu.mount}\nmount -t cgroup -o {controllers} none {cpu.mount}"
    found = budget(before=entering(cpu) + in_namespaces(mounted, "cgroup", "mount"))["cpu"]
    assert source(found, "/proc/self/cgroup")["said"].endswith(":/")
    assert (found["amount"], found["decided_by"]) == (0.5, f"{cpu.mount}/cpu.cfs_quota_us")


def test_a_private_namespace_with_mounts_from_outside_says_that_the_group_is_not_shown(group):
    cpu = group("cpu")
    cpu.limit_cpus(0.5)
    found = budget(before=entering(cpu) + in_namespaces("", "cgroup"))["cpu"]
    # The mount's root is /.. there: the group is somewhere below it, under a name that is not told.
    assert source(found, "/proc/self/cgroup")["means"] == "hidden_group"
    assert [one["name"] for one in found["sources"] if one["role"] == "limit"] == [f"{cpu.mount}/cpu.cfs_quota_us"]
    assert found["amount"] == cpu_count()


# In force


@pytest.mark.release
def test_a_gateway_in_a_small_pod_has_its_size_and_shows_it(group):
    cpu, memory = group("cpu"), group("memory")
    cpu.limit_cpus(0.5)
    memory.write("memory.limit_in_bytes", 64 * MIB)
    server = Server(
        {"WEIR_RATE_LIMIT": "1000/s;by=client"},
        binary="sh",
        arguments=["-e", "-c", f'{entering(cpu, memory)}exec "$@"', "sh", GATEWAY],
    )
    try:
        assert is_served(server)
        metrics = server.metrics()
        assert metrics["weir_loops"] == 1
        assert metrics['weir_concurrency_limit{pool="pod"}'] == 256
        keys = [value for name, value in metrics.items() if name.startswith("weir_rate_limit_keys_max")]
        assert keys == [(256 << 10) / 16]
        shown = json.loads(server.ask_admin("/config")[1])["budget"]
        assert shown["cpu"] == {
            "amount": 0.5, "threads": 1, "rounding": "up", "decided_by": f"{cpu.folder}/cpu.cfs_quota_us",
        }
        assert shown["memory"]["amount"] == 64 * MIB
        assert shown["sizes"]["WEIR_RATE_LIMIT_TABLE"] == 256 << 10
        # It is what holds now.
        cpu.limit_cpus(0.3)
        memory.write("memory.limit_in_bytes", 96 * MIB)
        shown = json.loads(server.ask_admin("/config")[1])["budget"]
        assert (shown["cpu"]["amount"], shown["memory"]["amount"]) == (0.3, 96 * MIB)
    finally:
        server.stop()


def throttled_periods(group):
    return int(re.search(r"^nr_throttled (\d+)$", (group.folder / "cpu.stat").read_text(), re.M)[1])


def test_a_quota_that_is_used_up_is_told_as_the_kernel_counts_it(group):
    cpu = group("cpu")
    cpu.limit_cpus(0.2)
    server = Server(binary=GATEWAY, group=cpu)
    try:
        with load(server) as running:
            running.wait_until(lambda: throttled_periods(cpu) > 10, "the kernel stops it")
            before = throttled_periods(cpu)
            metrics = server.metrics()
            after = throttled_periods(cpu)
            running.stop()
        throttled = metrics['weir_cpu_throttled_periods_total{group="own"}']
        assert before <= throttled <= after
        assert throttled <= metrics['weir_cpu_periods_total{group="own"}']
        assert metrics['weir_cpu_throttled_seconds_total{group="own"}'] > 0
    finally:
        server.stop()


def test_the_bound_of_tasks_is_told_as_the_kernel_has_it(group):
    pids = group("pids")
    pids.write("pids.max", 77)
    server = Server(binary=GATEWAY, group=pids)
    try:
        assert server.metric("weir_pids_max") == int((pids.folder / "pids.max").read_text()) == 77
        # Those that the start needed may have ended since.
        eventually(lambda: server.metric("weir_pids") == int((pids.folder / "pids.current").read_text()), "as many")
    finally:
        server.stop()


# The command


def test_the_table_has_a_part_for_each_resource_and_marks_who_decided(tmp_path):
    files = {
        "sys/devices/system/cpu/online": "0-3\n",
        "proc/self/cgroup": "0::/pod/container\n",
        "proc/self/mountinfo": "30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "proc/meminfo": "MemTotal:       16265280 kB\n",
        "sys/fs/cgroup/pod/container/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/pod/cpu.max": "max 100000\n",
        "sys/fs/cgroup/pod/container/memory.max": "67108864\n",
        "sys/fs/cgroup/pod/container/memory.high": "fifty\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    output = run("--root", str(tmp_path))
    parts = [part.splitlines() for part in output.split("\n\n")]
    assert [part[0].split(":")[0] for part in parts] == ["cpu", "memory", "descriptors", "tasks", "sizes"]
    assert parts[0][0] == "cpu: 0.5 CPUs, 1 thread (rounding up)"
    assert [line.split() for line in parts[0][1:]] == [
        ["/sys/devices/system/cpu/online", "0-3", "4", "CPUs"],
        ["affinity", str(cpu_count()), str(cpu_count()), "CPUs" if cpu_count() > 1 else "CPU"],
        ["/proc/self/cgroup", "0::/pod/container", "the", "group", "of", "this", "process"],
        ["*", "/sys/fs/cgroup/pod/container/cpu.max", "50000", "100000", "0.5", "CPUs"],
        ["/sys/fs/cgroup/pod/cpu.max", "max", "100000", "no", "limit"],
        ["/sys/fs/cgroup/cpu.max", "-", "does", "not", "exist"],
        ["WEIR_CPU_REQUEST", "-", "says", "nothing"],
    ]
    assert parts[1][0] == "memory: 64 MiB"
    assert ["/sys/fs/cgroup/pod/container/memory.high", "fifty", "not", "understood,", "does", "not", "count"] in [
        line.split() for line in parts[1]
    ]
    assert ["WEIR_RATE_LIMIT_TABLE", "256", "KiB"] in [line.split() for line in parts[4]]


def test_an_empty_folder_says_nothing_and_is_no_error(tmp_path):
    found = budget("--root", str(tmp_path))
    assert (found["memory"]["amount"], found["tasks"]["amount"]) == (None, None)
    assert found["cpu"]["amount"] == cpu_count()


def test_a_wrong_request_is_one_line():
    result = subprocess.run(
        [GATEWAY, "budget"], env=environment({"WEIR_CPU_REQUEST": "lots"}), capture_output=True, timeout=PATIENCE_SECONDS
    )
    assert (result.returncode, result.stdout) == (78, b"")
    assert result.stderr.decode().startswith('weir: WEIR_CPU_REQUEST="lots": expected CPUs such as 500m')


# Too few processes and threads


@pytest.mark.parametrize("most", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("binary", [BINARY, GATEWAY], ids=["service", "gateway"])
def test_a_start_whose_threads_do_not_fit_is_one_line_and_69(group, binary, most):
    starts_in_what_it_asks_for(group, binary, most, {})


@pytest.mark.parametrize("binary", [BINARY, GATEWAY], ids=["service", "gateway"])
def test_what_a_start_asks_for_is_enough_for_all_of_its_threads(group, binary, tmp_path):
    certificate, key = Authority(tmp_path).pair("server", "localhost")
    starts_in_what_it_asks_for(group, binary, 5, {
        "WEIR_LISTEN": "127.0.0.1:0,tls://127.0.0.1:0", "WEIR_TLS_CERT": certificate, "WEIR_TLS_KEY": key,
        "WEIR_ACCESS_LOG": tmp_path / "access.log",
        "WEIR_LOOPS": 3, "WEIR_WORKERS_MIN": 4,
    })


def starts_in_what_it_asks_for(group, binary, most, settings):
    pids = group("pids")
    pids.write("pids.max", most)
    code, lines = run_to_failure(settings, binary=binary, group=pids)
    assert (code, len(lines)) == (69, 1), lines
    said = re.fullmatch(
        rf"weir: (\S+/pids\.max) is {most} with 1 in use: a start makes (\d+) threads; let it be at least (\d+)", lines[0]
    )
    assert said and said[1] == f"{pids.folder}/pids.max", lines
    assert int(said[3]) == int(said[2]) + 1 > most
    # What would be right is right.
    pids.write("pids.max", said[3])
    server = Server(settings, binary=binary, group=pids)
    try:
        assert is_served(server)
    finally:
        server.stop()
