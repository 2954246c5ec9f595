# SPDX-License-Identifier: Apache-2.0
# A pod of little memory under more uploads at a time than it could hold: in a real control group with that limit, clients
# outside of it. The kernel ends what goes beyond.

import contextlib
import resource
import urllib.request

import pytest

from cgroups import group  # noqa: F401: a fixture
from polling import PATIENCE_SECONDS
from server import BINARY, GATEWAY, Server
from uploads import upload

pytestmark = pytest.mark.release

MIB = 1 << 20
UPLOADS, SLOW = 2000, 200
# What takes long here is the machine, not the peer.
PATIENT = {
    f"WEIR_{name}": "5m"
    for name in ("DEADLINE", "BODY_TIMEOUT", "WRITE_TIMEOUT", "KEEPALIVE_TIMEOUT", "UPSTREAM_TRANSFER_TIMEOUT")
}


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def number(folder, file):
    return int((folder / file).read_text())


def killed(folder):
    lines = (folder / "memory.oom_control").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def test_a_service_serves_more_uploads_at_a_time_than_it_has_memory_for(group):
    serves_more_than_fits(group("memory"), BINARY)


def test_a_gateway_passes_more_uploads_on_at_a_time_than_it_has_memory_for(group):
    endpoint = Server({"WEIR_CONNECTIONS": 10_000, **PATIENT})
    try:
        upstream = f"http://127.0.0.1:{endpoint.port}"
        serves_more_than_fits(group("memory"), GATEWAY, WEIR_UPSTREAM=upstream)
    finally:
        endpoint.stop()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["of known length", "chunked"])
def test_bodies_that_are_collected_are_refused_where_they_would_not_fit(group, is_chunked):
    memory = group("memory")
    with small_pod(memory, BINARY) as (server, look):
        how = {"target": "/length", "is_chunked": is_chunked}
        seen = upload(("127.0.0.1", server.port), 200, seconds=240, each_turn=look, **how)
        assert set(seen) <= {200, 503} and seen.total() == 200, seen
        assert seen[200] > 0, seen
        # One at a time there is room for any number.
        for _ in range(5):
            assert dict(upload(("127.0.0.1", server.port), 1, **how)) == {200: 1}
        # What was freed has gone back: else the group holds several times what is counted.
        assert number(memory.folder, "memory.max_usage_in_bytes") <= 48 * MIB


def serves_more_than_fits(memory, binary, **settings):
    with small_pod(memory, binary, **settings) as (server, look):
        seen = upload(("127.0.0.1", server.port), UPLOADS, SLOW, seconds=240, each_turn=look)
        assert dict(seen) == {200: UPLOADS}


@contextlib.contextmanager
def small_pod(memory, binary, **settings):
    """A server in 64 MiB, and what is to be called all the while: it lives on, and holds no more than it may."""
    memory.write("memory.limit_in_bytes", 64 * MIB)
    # v1 counts what the kernel holds for sockets by itself, and only where it has a limit; v2 counts it with the rest.
    memory.write("memory.kmem.tcp.limit_in_bytes", 1 << 40)
    server = Server({"WEIR_LOOPS": 1, **PATIENT, **settings}, binary=binary, group=memory)
    pid, peak, turns = server.pid, {"all": 0, "held": 0}, 0

    def look():
        nonlocal turns
        turns += 1
        if turns % 50:
            return
        used = number(memory.folder, "memory.usage_in_bytes") + number(memory.folder, "memory.kmem.tcp.usage_in_bytes")
        peak["all"] = max(peak["all"], used)
        # Small requests to the admin port go on all the while.
        metrics = server.metrics()
        assert metrics["weir_buffer_limit_bytes"] == 16 * MIB
        peak["held"] = max(peak["held"], metrics["weir_buffer_bytes"])

    try:
        yield server, look
        assert killed(memory.folder) == 0
        assert (server.process.poll(), server.pid) == (None, pid)
        assert peak["held"] <= 16 * MIB, peak
        assert peak["all"] <= 64 * MIB, peak
        with urllib.request.urlopen(f"{server.url}/hello", timeout=PATIENCE_SECONDS) as response:
            assert response.status == 200
        assert server.metric("weir_buffer_bytes") < MIB
    finally:
        print(peak)
        server.stop()
