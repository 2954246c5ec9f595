# SPDX-License-Identifier: Apache-2.0
# A gateway whose clients leave few descriptors: requests wait for a connection, the admin port answers, and the pod's
# CPUs stay what they are.

import contextlib
import json
import os
import subprocess
import time

import pytest

from cgroups import group  # noqa: F401: a fixture
from upstream import answer
from wire import request

DESCRIPTORS = 256
KEPT_BACK = DESCRIPTORS // 16
CLIENTS = 200


def slow(peer):
    """Answers each request after a while, so that many are on their way at a time."""
    while True:
        peer.request()
        time.sleep(0.05)
        peer.send(answer(b"done"))


def test_with_upstreams_half_of_the_descriptors_are_for_clients(gateway, upstream):
    server = gateway(upstream(), descriptors=DESCRIPTORS)
    sizes = json.loads(server.ask_admin("/config")[1])["budget"]["sizes"]
    assert sizes["WEIR_CONNECTIONS"] == (DESCRIPTORS - KEPT_BACK) // 2


@pytest.mark.parametrize("loops", [1, 2])
def test_requests_wait_for_a_connection_and_the_admin_port_answers(gateway, upstream, loops):
    server = gateway(
        upstream(slow),
        descriptors=DESCRIPTORS,
        WEIR_LOOPS=loops,
        WEIR_CONNECTIONS=1000,
        WEIR_DEADLINE="30s",
        # What is left above it is for connections to the endpoint.
        WEIR_DESCRIPTORS_HIGH=100,
    )
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            wires = []
            # Almost all descriptors that there are.
            for _ in range(CLIENTS):
                wires.append(stack.enter_context(server.connect()))
                wires[-1].send(request("/"))
            for page in ("/livez", "/readyz", "/metrics"):
                began = time.monotonic()
                assert server.ask_admin(page)[0] == 200
                assert time.monotonic() - began < 2
            # Once it is answered a connection may be closed that is in the way of another.
            assert {wire.reply().status for wire in wires} == {200}
    metrics = server.metrics()
    assert metrics["process_open_fds"] <= DESCRIPTORS - KEPT_BACK + loops + 4
    assert metrics["weir_requests_total"] == 3 * CLIENTS


def limit_descriptors(server, count):
    subprocess.run(["prlimit", f"--pid={server.pid}", f"--nofile={count}:{DESCRIPTORS}"], check=True)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="it takes two CPUs to grow")
def test_the_pod_keeps_its_cpus_while_no_descriptor_is_left(group, serve):
    group = group("cpu")
    group.limit_cpus(0.5)
    server = serve(group=group, descriptors=DESCRIPTORS)
    admin = server.admin_connection()
    assert server.metric("weir_loops", admin) == 1
    limit_descriptors(server, 3)
    line = json.loads(server.wait_for_line("cannot be read for now"))
    assert (line["level"], line["threads"]) == ("warning", "1")
    # What the affinity says would count when it was read twice in a row.
    time.sleep(3.5)
    assert server.metric("weir_loops", admin) == 1
    assert sum("cannot be read for now" in message for message in server.messages) == 1
    limit_descriptors(server, DESCRIPTORS)
    group.limit_cpus(1.5)
    line = json.loads(server.wait_for_line("CPU budget has changed"))
    assert (line["threads"], line["threads_before"]) == ("2", "1")
    assert float(line["cpus"]) == 1.5 and line["decided_by"].startswith("/sys/fs/cgroup/")
    admin.close()
