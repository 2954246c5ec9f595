# SPDX-License-Identifier: Apache-2.0
# 10,000 slow clients, by slowhttptest in each of its modes, and what honest ones notice of it: they ask two services
# in turn during the same attack, one that is attacked and one that is not, so what the attacker itself takes of the
# machine is the same for both. Nothing is made easier for the attacked one: it keeps all slow clients for as long as
# they come.

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import time

import pytest

from asking import Keeper
from measures import MIB, cpu_seconds, descriptors, resident
from polling import eventually

CLIENTS = 10_000
ROUNDS = 5
ROUND_SECONDS = 2
# The bounds: CPU for each honest request, and its 99th percentile.
CPU_MAX, LATENCY_MAX = 1.1, 2
# `WEIR_DEADLINE`'s default, and what a loaded machine adds.
DEADLINE_SECONDS, SLACK_SECONDS = 15, 15
# For as long as the attack lasts, nobody is cut off for being slow.
PATIENT = {
    f"WEIR_{name}": "10m"
    for name in ("HEAD_TIMEOUT", "BODY_TIMEOUT", "WRITE_TIMEOUT", "KEEPALIVE_TIMEOUT", "CONNECTION_AGE")
} | {"WEIR_BODY_RATE_MIN": 0, "WEIR_KEEPALIVE_REQUESTS": 10**9}
MODES = {
    # A head that never ends, a field each ten seconds.
    "headers": ["-H", "-i", "10", "-u", "{url}/hello"],
    # A body that never ends.
    "body": ["-B", "-i", "10", "-s", "8192", "-t", "POST", "-u", "{url}/length"],
    # Thousands of overlapping ranges.
    "range": ["-R", "-a", "10", "-b", "3000", "-u", "{url}/files/big.bin"],
    # An answer that is taken a few bytes at a time, with a small window.
    "read": ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3", "-u", "{url}/files/big.bin"],
}
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


def honest(server):
    """CPU seconds of the server for each request, and the 99th percentile in seconds."""
    before = cpu_seconds(server)
    result = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{ROUND_SECONDS}s", "--latency", server.url + "/hello"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    used = cpu_seconds(server) - before
    assert "Non-2xx" not in result.stdout and "Socket errors" not in result.stdout, result.stdout
    requests = int(re.search(r"(\d+) requests in", result.stdout)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", result.stdout).groups()
    return used / requests, float(value) * UNITS[unit]


@contextlib.contextmanager
def attack(server, mode):
    arguments = [argument.format(url=server.url) for argument in MODES[mode]]
    process = subprocess.Popen(
        ["slowhttptest", "-c", str(CLIENTS), "-r", "2000", "-l", "300", "-p", "5", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(MIB))
    return tmp_path


@pytest.mark.parametrize("mode", MODES)
def test_honest_clients_hardly_notice_10000_slow_ones(start, files, figure, mode):
    if not shutil.which("slowhttptest"):
        pytest.skip("slowhttptest is missing: scripts/setup faults installs it")
    calm, attacked = (start(HELLO_FILES=files, WEIR_LOOPS=1, WEIR_ACCESS_LOG="/dev/null", **PATIENT) for _ in range(2))
    for server in (calm, attacked):
        honest(server)
    memory = resident(attacked)
    with attack(attacked, mode) as attacker:
        # The range mode has its answer at once, so its clients come and go.
        reached = wait_for_clients(attacked, attacker)
        assert reached >= CLIENTS
        refused = wait_until_served(attacked)
        pairs = [(honest(calm), honest(attacked)) for _ in range(ROUNDS)]
        reached_memory = resident(attacked)
        open_count = attacked.metric("weir_connections_open")
    cpu, latency = (statistics.median(after[index] / before[index] for before, after in pairs) for index in range(2))
    spread = sorted(round(after[0] / before[0], 2) for before, after in pairs)
    eventually(lambda: attacked.metric("weir_connections_open") == 0, "all of them are gone", 60)
    keeper = Keeper(attacked.address, expected=b"Hello, world\n")
    assert {keeper() for _ in range(100)} == {200}
    keeper.close()
    figure(
        f"{reached} slow clients came, {open_count:g} were there at the end: CPU per honest request {cpu:.2f} x "
        f"({spread[0]}-{spread[-1]}; {pairs[0][0][0] * 1e6:.1f} us), 99th percentile {latency:.2f} x; "
        f"refused for {refused:.1f} s at first; {(reached_memory - memory) / MIB:.1f} MiB more, "
        f"{descriptors(attacked)} descriptors behind it"
    )
    # A place is held until the deadline at most.
    assert refused <= DEADLINE_SECONDS + SLACK_SECONDS
    assert cpu <= CPU_MAX
    assert latency <= LATENCY_MAX


def wait_until_served(server, seconds=120):
    """How long honest requests are refused or wait, once the slow clients are there. Those that read slowly hold the
    places of the pool until their deadline has passed; then they are streams, and are in nobody's way. That is longer
    than a request here has patience in the queue."""
    began, row = time.monotonic(), 0
    keeper = Keeper(server.address, expected=b"Hello, world\n")
    while row < 100:
        outcome = keeper()
        assert outcome in (200, 503, 504, "TimeoutError"), outcome
        row = row + 1 if outcome == 200 else 0
        assert time.monotonic() - began < seconds
    keeper.close()
    return time.monotonic() - began


def wait_for_clients(server, attacker, seconds=180):
    """How many came, once it is as many as there shall be."""
    end = time.monotonic() + seconds
    while True:
        count = int(server.metric("weir_connections_accepted_total"))
        if count >= CLIENTS or attacker.poll() is not None or time.monotonic() > end:
            return count
        time.sleep(0.1)


@pytest.mark.parametrize("mode", ["headers", "body"])
def test_slow_clients_are_cut_off_when_their_time_is_over(start, files, figure, mode):
    server = start(HELLO_FILES=files, WEIR_LOOPS=1, WEIR_HEAD_TIMEOUT="2s", WEIR_BODY_TIMEOUT="4s")
    with attack(server, mode) as attacker:
        wait_for_clients(server, attacker)

        def cut_off():
            metrics = server.metrics()
            return sum(value for name, value in metrics.items() if name.startswith("weir_timeouts_total"))

        eventually(lambda: cut_off() >= CLIENTS * 0.95, "they are cut off", 60)
        kinds = {
            name.split('"')[1]: value for name, value in server.metrics().items()
            if name.startswith("weir_timeouts_total") and value
        }  # fmt: skip
    figure(f"{kinds} of {CLIENTS} were cut off")
