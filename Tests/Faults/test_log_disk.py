# SPDX-License-Identifier: Apache-2.0
# A disk that is full under the access log: requests go on, what is not written is counted, and writing goes on by
# itself when there is room again.

import json
import os
import subprocess

import pytest

from asking import Keeper
from polling import eventually

pytestmark = pytest.mark.short
DROPPED = "weir_access_log_lines_dropped_total"
DISK_BYTES = 1 << 20


@pytest.fixture
def disk(tmp_path):
    """A disk of one MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_costs_lines_and_no_request_until_there_is_room(start, disk, figure):
    log, other = disk / "access.log", disk / "other"
    server = start(WEIR_ACCESS_LOG=log, WEIR_KEEPALIVE_REQUESTS=10**9, WEIR_LOOPS=1)
    keeper = Keeper(server.address, expected=b"Hello, world\n")
    asked = 0

    def ask(count):
        nonlocal asked
        for _ in range(count):
            assert keeper() == 200
        asked += count

    ask(100)
    eventually(lambda: log.read_bytes().count(b"\n") == 100, "the lines are there")
    with open(other, "wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                break
    while server.metric(DROPPED) < 500:
        ask(500)
    dropped = server.metric(DROPPED)
    other.unlink()
    # What was in the ring when the disk filled up may still be written: whatever it is, it ends.
    ask(1000)

    def whole():
        """The lines but for one that the disk had no room for the end of; that one is counted as dropped."""
        return [line for line in log.read_bytes().split(b"\n") if line.endswith(b"}")]

    eventually(
        lambda: len(whole()) >= 1100 and len(whole()) + server.metric(DROPPED) == asked,
        "each request is a line or counted as dropped",
    )
    lines = whole()
    assert log.read_bytes().count(b"\n") <= len(lines) + 1
    assert {json.loads(line)["status"] for line in lines} == {200}
    after = server.metric(DROPPED)
    ask(1000)
    eventually(lambda: len(whole()) == len(lines) + 1000, "all are written again")
    assert server.metric(DROPPED) == after >= dropped
    keeper.close()
    figure(f"{asked} of {asked} requests served, {after:g} lines dropped and counted, {len(lines) + 1000} written")
