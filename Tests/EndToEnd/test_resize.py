# SPDX-License-Identifier: Apache-2.0
# A pod that is resized in place: the quota of the gateway's control group changes, and its loops follow within ten
# seconds, without a failed request.

import collections
import contextlib
import json
import os
import re
import resource
import subprocess
import time

import pytest

from cgroups import group  # noqa: F401: a fixture
from load import load
from polling import eventually
from server import Server
from test_tunnels import echoing, read, upgraded
from wire import request

FOLLOW_SECONDS = 10
CHANGE = "the pod's CPU budget has changed"

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="it takes two CPUs to grow")


def set_limit(group, cpus):
    """So many CPUs from now on; None for as many as there are."""
    if cpus is None:
        group.write("cpu.cfs_quota_us", -1)
    else:
        group.limit_cpus(cpus)


def limited(group, cpus):
    made = group("cpu")
    set_limit(made, cpus)
    return made


def connections(server):
    """How many each loop has, by its number."""
    found = {}
    for name, value in server.metrics().items():
        if match := re.fullmatch(r'weir_loop_connections_open\{loop="(\d+)"\}', name):
            found[int(match[1])] = value
    return found


def new_connections_reach(server, loops):
    """Whether each of so many loops has one of some connections that are opened now, and no other loop has."""
    with contextlib.ExitStack() as stack:
        before = connections(server)
        for _ in range(8 * loops):
            assert stack.enter_context(server.connect()).get().status == 200
        after = connections(server)
        gained = {loop for loop, count in after.items() if count > before.get(loop, 0)}
        return gained == set(range(loops))


def resize(server, group, cpus, loops):
    """How long it takes until new connections land on so many loops."""
    began = time.monotonic()
    set_limit(group, cpus)
    eventually(lambda: server.metric("weir_loops") == loops and new_connections_reach(server, loops),
               f"{loops} loops take connections", FOLLOW_SECONDS)
    return time.monotonic() - began


def changes(server):
    entries = [json.loads(line) for line in server.log]
    return [(int(entry["threads_before"]), int(entry["threads"])) for entry in entries if entry["message"] == CHANGE]


def test_loops_follow_the_quota_up_and_down_without_a_failed_request(group, gateway, upstream_process):
    group = limited(group, 1)
    server = gateway(upstream_process().url, WEIR_LOOPS="auto", group=group)
    assert server.metric("weir_loops") == 1
    limit = server.metric('weir_concurrency_limit{pool="pod"}')
    with load(server) as running:
        counters = {}
        for cpus, loops in [(2, 2), (0.5, 1), (1.5, 2), (1, 1), (None, 2)]:
            seconds = resize(server, group, cpus, loops)
            print(f"{cpus} CPUs: {seconds:.1f} s")
            # Clients that keep their connections move as well.
            others = range(loops, 2)
            running.wait_until(lambda: all(connections(server)[loop] == 0 for loop in others), "the others are empty")
            running.wait_for(100)
            assert server.metric('weir_concurrency_limit{pool="pod"}') == loops * limit
            for name, value in server.metrics().items():
                if name.split("{")[0].endswith("_total"):
                    assert value >= counters.get(name, 0), f"{name} stepped back"
                    counters[name] = value
        assert set(running.stop()) == {200}
    assert [after for _, after in changes(server)] == [2, 1, 2, 1, 2]
    assert server.metric("weir_loops_leaving") == 0


def test_wrk_sees_no_error_while_the_pod_is_resized(group, serve):
    group = limited(group, 2)
    server = serve(group=group)
    assert server.metric("weir_loops") == 2
    client = subprocess.Popen(["wrk", "-t1", "-c64", "-d20s", server.url + "/async"], stdout=subprocess.PIPE, text=True)
    try:
        server.wait_for_metric("weir_requests_total", 1000)
        for cpus, loops in [(1, 1), (2, 2), (1, 1)]:
            set_limit(group, cpus)
            eventually(lambda: server.metric("weir_loops") == loops, f"{loops} loops", FOLLOW_SECONDS)
            if loops == 1:
                eventually(lambda: connections(server)[1] == 0, "the second loop is empty", FOLLOW_SECONDS)
        output = client.communicate(timeout=60)[0]
    finally:
        client.kill()
        client.wait()
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    assert client.returncode == 0


def test_what_is_in_progress_goes_on_while_its_loop_leaves_and_comes_back(group, gateway, upstream):
    group = limited(group, 2)
    server = gateway(upstream(echoing), WEIR_LOOPS="auto", group=group)
    with contextlib.ExitStack() as stack:
        tunnels = [stack.enter_context(upgraded(server)) for _ in range(8)]
        assert all(count > 0 for count in connections(server).values())

        def pass_on():
            for wire in tunnels:
                wire.send(b"hello")
                assert read(wire, 5) == b"hello"

        pass_on()
        set_limit(group, 1)
        eventually(lambda: server.metric("weir_loops") == 1, "one loop", FOLLOW_SECONDS)
        assert server.metric("weir_loops_leaving") == 1
        pass_on()
        set_limit(group, 2)
        eventually(lambda: server.metric("weir_loops") == 2, "two loops", FOLLOW_SECONDS)
        pass_on()
        assert server.metric("weir_loops_leaving") == 0
        assert server.metric("weir_tunnels_active") == 8


def test_a_resized_gateway_logs_and_drains_as_any_other(group, serve, tmp_path):
    group = limited(group, 1)
    access_log = tmp_path / "access.log"
    server = serve(group=group, WEIR_ACCESS_LOG=access_log)
    resize(server, group, 2, 2)
    resize(server, group, 1, 1)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(8)]
        for wire in wires:
            wire.send(request("/sleep?ms=300"))
        server.wait_for_metric('weir_requests_executing{pool="pod"}', 8)
        requests = server.metric("weir_requests_total")
        server.signal()
        for wire in wires:
            reply = wire.reply()
            assert reply.status == 200 and reply.closes
        assert server.wait() == 0
    # One line for each, also for those of the loop that came and left.
    assert len(access_log.read_text().splitlines()) == requests


def test_idle_connections_of_a_loop_that_leaves_end_in_good_order(group, serve):
    group = limited(group, 2)
    server = serve(group=group)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(8)]
        assert all(wire.get().status == 200 for wire in wires)
        set_limit(group, 1)
        eventually(lambda: server.metric("weir_loops") == 1, "one loop", FOLLOW_SECONDS)
        eventually(lambda: connections(server)[1] == 0, "the second loop is empty", FOLLOW_SECONDS)
        ended = [wire for wire in wires if wire.has_ended()]
        assert 0 < len(ended) < 8
        for wire in ended:
            wire.expect_end()
        assert server.metric("weir_connections_retired_total") == len(ended)
        for wire in wires:
            if wire not in ended:
                assert wire.get().status == 200


def test_idle_connections_of_a_loop_that_leaves_have_five_seconds_to_ask(group, serve):
    group = limited(group, 2)
    server = serve(group=group)
    with contextlib.ExitStack() as stack:
        wires = collections.defaultdict(list)
        while min(len(wires[0]), len(wires[1])) < 2:
            assert len(wires[0]) + len(wires[1]) < 64
            before, wire = connections(server), stack.enter_context(server.connect())
            assert wire.get().status == 200
            wires[0 if connections(server)[0] > before[0] else 1].append(wire)
        # One of each loop's keeps asking, and is told by an answer; the others are closed, but not at once.
        asking, idle = {wires[0][0], wires[1][0]}, wires[0][1:] + wires[1][1:]
        began = time.monotonic()
        set_limit(group, 1)
        told = []
        while not any(wire.has_ended() for wire in idle):
            assert time.monotonic() < began + 4 * FOLLOW_SECONDS
            for wire in list(asking):
                if wire.get().closes:
                    asking.remove(wire)
                    told.append(wire)
            time.sleep(0.1)
        assert time.monotonic() - began >= 5
        assert told
        for wire in asking:
            assert wire.get().status == 200


def descriptors(server):
    return {int(name) for name in os.listdir(f"/proc/{server.pid}/fd")}


@pytest.mark.parametrize("spare", [1, 2])
def test_a_loop_that_cannot_be_made_leaves_no_descriptor_behind(group, spare):
    group = limited(group, 1)
    server = Server(group=group)
    try:
        before = descriptors(server)
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        # The poller and the wake-up are two, each listener one more; to read a file takes one.
        free = [number for number in range(len(before) + 4) if number not in before]
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (free[spare], limits[1]))
        set_limit(group, 2)
        server.wait_for_line("an event loop cannot be made")
        # It is tried again each second.
        time.sleep(3)
        assert len(descriptors(server)) <= len(before) + 1
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        eventually(lambda: server.metric("weir_loops") == 2, "two loops", FOLLOW_SECONDS)
        eventually(lambda: len(descriptors(server)) == len(before) + 3, "a loop's are more", FOLLOW_SECONDS)
        server.signal()
        assert server.wait() == 0
    finally:
        # Its log has the error.
        server.kill()


def test_a_number_of_loops_that_is_given_stays(group, serve):
    group = limited(group, 1)
    server = serve(WEIR_LOOPS=2, group=group)
    set_limit(group, 2)
    server.wait_for_line(CHANGE)
    set_limit(group, 1)
    eventually(lambda: len(changes(server)) == 2, "it has seen both changes", FOLLOW_SECONDS)
    assert server.metric("weir_loops") == 2
