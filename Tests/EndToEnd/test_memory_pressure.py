# SPDX-License-Identifier: Apache-2.0
# A pod that runs short of memory, in a real control group: what is turned away above which mark, what is not, and that it
# ends when there is room again.

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from admission import rejected
from cgroups import group  # noqa: F401: a fixture
from polling import eventually
from server import command

MIB = 1 << 20
LIMIT = 256 * MIB
SHED, CRITICAL, BELOW = 0.85, 0.95, 0.05
ROUTES = [
    "  - {match: {path: /hello}, upstream: a, priority: sheddable}",
    "  - {match: {path: /async}, upstream: a}",
    "  - {match: {path: /json}, upstream: a, priority: critical}",
]
# Holds as many mebibytes as the last line that came says, and says when it does.
HOLDER = """
import mmap, sys
held = []
for line in sys.stdin:
    while len(held) > int(line): held.pop().close()
    while len(held) < int(line):
        held.append(mmap.mmap(-1, 1 << 20))
        for page in range(0, 1 << 20, 4096): held[-1][page] = 1
    print(len(held), flush=True)
"""


def used(memory):
    """As the kubelet counts: without file pages that can be taken back."""
    statistics = dict(line.split() for line in (memory.folder / "memory.stat").read_text().splitlines())
    return int((memory.folder / "memory.usage_in_bytes").read_text()) - int(statistics["total_inactive_file"])


@contextmanager
def neighbour(memory):
    """Another process of the pod; gives what brings the pod's memory to a share of its limit."""
    process = subprocess.Popen(
        command(binary=sys.executable, arguments=["-c", HOLDER], group=memory),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    held = 0

    def fill(share):
        nonlocal held
        # In two steps at least: what the kernel has charged lags behind.
        for _ in range(20):
            missing = round((share * LIMIT - used(memory)) / MIB)
            if missing == 0:
                break
            held = max(0, held + missing)
            process.stdin.write(f"{held}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{held}\n", "the neighbour has ended"
        assert abs(used(memory) / LIMIT - share) < 0.01

    try:
        yield fill
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def pod(group, routed, upstream_process):
    memory = group("memory")
    memory.write("memory.limit_in_bytes", LIMIT)
    return memory, routed(ROUTES, {"a": upstream_process()}, WEIR_UPSTREAM=None, group=memory)


def asked(server, target):
    """200, or with what reason it was turned away; each is told when to come again."""
    with server.connect() as wire:
        reply = wire.get(target)
    if reply.status == 200:
        return 200
    assert reply.header("retry-after") == "5"
    return reply.status, json.loads(reply.body)["reason"]


SHORT = (503, "memory")
TARGETS = ("/hello", "/async", "/json")


def wait_for(server, *expected):
    eventually(lambda: tuple(asked(server, target) for target in TARGETS) == expected, f"{expected}")
    # Short of memory, it is ready: a pod that is taken out leaves the others with more.
    assert [server.ask_admin(path)[0] for path in ("/readyz", "/livez")] == [200, 200]


def stays(server, *expected):
    """For so long that it has looked anew: it does twice a second."""
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        assert tuple(asked(server, target) for target in TARGETS) == expected


def test_above_a_mark_it_sheds_above_the_next_it_serves_nobody_and_with_room_it_serves_all(pod):
    memory, server = pod
    with neighbour(memory) as fill:
        fill(SHED - 0.02)
        wait_for(server, 200, 200, 200)
        assert rejected(server, "memory") == 0

        fill((SHED + CRITICAL) / 2)
        wait_for(server, SHORT, 200, 200)
        before = rejected(server, "memory")
        assert asked(server, "/hello") == SHORT
        assert rejected(server, "memory") == before + 1

        fill(CRITICAL + 0.02)
        wait_for(server, SHORT, SHORT, SHORT)

        # Each ends a little below where it began, so that it does not flap.
        fill(CRITICAL - BELOW / 2)
        stays(server, SHORT, SHORT, SHORT)
        fill(CRITICAL - BELOW - 0.02)
        wait_for(server, SHORT, 200, 200)
        fill(SHED - BELOW / 2)
        stays(server, SHORT, 200, 200)
        fill(SHED - BELOW - 0.02)
        wait_for(server, 200, 200, 200)
        total = rejected(server, "memory")
        fill(0.5)
        wait_for(server, 200, 200, 200)
        assert rejected(server, "memory") == total


def test_a_limit_that_is_raised_ends_it_too(pod):
    memory, server = pod
    with neighbour(memory) as fill:
        fill(SHED + 0.05)
        wait_for(server, SHORT, 200, 200)
        memory.write("memory.limit_in_bytes", 2 * LIMIT)
        wait_for(server, 200, 200, 200)
