# SPDX-License-Identifier: Apache-2.0
# The other side is gone and has not said so: clients, endpoints, and those who only ever sent the first packet.

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from asking import Crowd, Keeper, open_to, read_answer
from far import FAR_ADDRESS, NEAR_ADDRESS, Far
from measures import MIB, cpu_seconds, descriptors
from polling import eventually
from server import BINARY, GATEWAY, TEST_SETTINGS
from wire import request

GREETING = b"Hello, world\n"
# Of each kind of client.
VANISHED = 200
SYNS = 30_000


@pytest.fixture
def far():
    if os.environ.get("WEIR_FAULTS_NAMESPACES") != "own":
        pytest.skip("links need namespaces of their own: Tests/Faults/run makes them")
    far = Far()
    yield far
    far.close()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(16 * MIB))
    return tmp_path


def local(server):
    """Of a server that listens on all addresses."""
    return "127.0.0.1", server.port


def test_clients_that_vanish_are_forgotten_each_after_its_time(start, far, files, figure):
    server = start(
        HELLO_FILES=files, WEIR_LISTEN="0.0.0.0:0", WEIR_KEEPALIVE_TIMEOUT="2s", WEIR_HEAD_TIMEOUT="2s",
        WEIR_BODY_TIMEOUT="2s", WEIR_WRITE_TIMEOUT="3s", WEIR_CONNECTIONS=5000, WEIR_LOOPS=2,
    )  # fmt: skip
    idle = descriptors(server)
    clients = far.start_python("vanishing.py", NEAR_ADDRESS, server.port, VANISHED)
    assert clients.stdout.readline() == "here\n"
    far.plug(False)
    began = time.monotonic()
    keeper = Keeper(local(server), expected=GREETING)
    seen = []

    def all_gone():
        seen.append(keeper())
        # The one that asks.
        return server.metric("weir_connections_open") <= 1

    eventually(all_gone, "they are forgotten", 60)
    took = time.monotonic() - began
    keeper.close()
    assert set(seen) == {200}
    counts = {kind: server.metric(f'weir_timeouts_total{{kind="{kind}"}}') for kind in
              ("keepalive", "head", "body", "write")}  # fmt: skip
    # Some of the first may have run out of their time before the last had come.
    assert sum(counts.values()) == 4 * VANISHED, counts
    assert counts["write"] == VANISHED
    eventually(lambda: descriptors(server) <= idle + 2, "their descriptors are free")
    figure(
        f"{4 * VANISHED} vanished; after {took:.1f} s none is left ({counts}), descriptors {descriptors(server)} as "
        f"before ({idle}); {len(seen)} of {len(seen)} honest requests served meanwhile"
    )


def test_an_endpoint_that_vanishes_costs_what_was_there_and_is_left_alone(start, far, figure, tmp_path):
    listen = {"WEIR_LISTEN": f"{FAR_ADDRESS}:18080", "WEIR_ADMIN_LISTEN": "off", "WEIR_DRAIN_DELAY": "0"}
    environment = [f"{name}={value}" for name, value in {**TEST_SETTINGS, **listen}.items()]
    far.start("env", "-i", *environment, BINARY)
    near = start(WEIR_LOOPS=1)
    file = tmp_path / "weir.yaml"
    gone = f"http://{FAR_ADDRESS}:18080"
    # In turn: every other request meets the one that is gone, whatever is known of it.
    file.write_text(
        f"upstreams: {{a: {{endpoints: [{near.url}, '{gone}'], balance: round-robin, timeouts: {{connect: 500ms}}}}}}\n"
        "routes: [{upstream: a, deadline: 1s}]\n"
    )
    server = start(GATEWAY, WEIR_CONFIG=file, WEIR_LOOPS=1)
    name = f'weir_upstream_requests_total{{upstream="a",endpoint="{gone}"}}'
    with Crowd() as crowd:
        for _ in range(8):
            crowd.add("kept", Keeper(server.address, expected=GREETING))
        crowd.wait_until(lambda: server.metric(name) > 200, "both are used")
        far.plug(False)
        crowd.wait_until(lambda: sum(v for (_, o), v in list(crowd.seen.items()) if o == 504) > 0, "it is missed")
        crowd.wait_for(3000)
        before = crowd.seen["kept", 504]
        crowd.wait_for(3000)
        late = crowd.seen["kept", 504] - before
        seen = crowd.stop()
    assert {outcome for _, outcome in seen} <= {200, 504}
    failed = seen["kept", 504]
    # Each client can wait at it a few times until it is left alone; then hardly anybody does.
    assert failed <= 5 * 8 and late <= 8
    figure(f"{seen['kept', 200]} served, {failed} answered 504 at their deadline, of the last 3000 {late}")


def test_first_packets_alone_cost_the_server_nothing(start, far, figure):
    server = start(WEIR_LISTEN="0.0.0.0:0", WEIR_LOOPS=1)
    idle, used = descriptors(server), cpu_seconds(server)
    began = time.monotonic()
    flood = far.start_python("syns.py", NEAR_ADDRESS, server.port, SYNS)
    answered = 0
    while flood.poll() is None:
        with open_to(local(server)) as connection:
            connection.sendall(request(headers=["Connection: close"]))
            assert read_answer(connection)[0] == 200
        answered += 1
    assert flood.returncode == 0 and answered > 0
    took, used = time.monotonic() - began, cpu_seconds(server) - used
    text = subprocess.run(["ss", "-Htn", "state", "syn-recv"], capture_output=True, text=True, check=True).stdout
    counts = re.findall(r"TcpExt: (.*)", Path("/proc/net/netstat").read_text())
    cookies = dict(zip(counts[0].split(), counts[1].split(), strict=True))["SyncookiesSent"]
    assert server.metric("weir_connections_accepted_total") == answered
    assert descriptors(server) <= idle + 1
    figure(
        f"{SYNS} SYNs in {took:.1f} s, {cookies} answered by cookie, {len(text.splitlines())} still half open: "
        f"{answered} of {answered} honest new connections served, {used / answered * 1e6:.0f} us of CPU for each"
    )
