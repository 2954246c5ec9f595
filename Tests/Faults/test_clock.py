# SPDX-License-Identifier: Apache-2.0
# A wall clock that is stepped an hour back and forth under a running gateway: nothing that waits, limits or counts goes
# by it, and what tells the time tells the new one.

import email.utils
import json
import time
from datetime import datetime

import pytest

from asking import Crowd, Keeper, open_to, read_answer
from polling import eventually
from server import GATEWAY
from wire import request

pytestmark = pytest.mark.short
HOUR = 3600


def ask(address, target="/hello"):
    with open_to(address) as connection:
        connection.sendall(request(target, headers=["Connection: close"]))
        status, fields, _, _ = read_answer(connection)
        return status, fields


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_step_of_the_wall_clock_moves_dates_and_nothing_else(start, layer, tmp_path, figure, hours):
    steps, log = [layer(binary, is_clock_alone=True) for binary in (GATEWAY, GATEWAY)], tmp_path / "access.log"
    service = start(GATEWAY, ["demo"], WEIR_LOOPS=1, **steps[0].environment)
    file = tmp_path / "weir.yaml"
    file.write_text(
        f"upstreams: {{a: {{endpoints: [{service.url}]}}}}\n"
        "routes: [{match: {path: /json}, upstream: a, limit: 3/10m}, {upstream: a}]\n"
    )
    server = start(
        GATEWAY, WEIR_CONFIG=file, WEIR_DEADLINE="1s", WEIR_KEEPALIVE_TIMEOUT="1s", WEIR_ACCESS_LOG=log, WEIR_LOOPS=2,
        **steps[1].environment,
    )  # fmt: skip

    def limited():
        status, fields = ask(server.address, "/json")
        return status, int(fields.get("retry-after", 0))

    assert [limited()[0] for _ in range(4)] == [200, 200, 200, 429]
    with Crowd() as crowd, open_to(server.address) as idle:
        for _ in range(4):
            crowd.add("kept", Keeper(server.address, expected=b"Hello, world\n"))
        crowd.wait_for(200)
        idle.sendall(request())
        assert read_answer(idle)[0] == 200
        for step in steps:
            step.step_clock(hours * HOUR)
        # Nothing is refilled, and nobody is told to wait for an hour more.
        status, retry_after = limited()
        assert status == 429 and 0 < retry_after <= 200
        # Deadlines are as long as they were.
        assert ask(server.address, "/sleep?ms=100")[0] == 200
        began = time.monotonic()
        assert ask(server.address, "/sleep?ms=30000")[0] == 504
        assert 0.9 < time.monotonic() - began < 10
        # An idle connection is closed when its time is over, not an hour off.
        idle.settimeout(10)
        assert idle.recv(1) == b""

        def error():
            """How far the Date field is off the new time."""
            said = email.utils.parsedate_to_datetime(ask(server.address)[1]["date"]).timestamp()
            return abs(said - time.time() - hours * HOUR)

        eventually(lambda: error() < 3, "the Date field tells the new time")
        crowd.wait_for(500)
        seen = crowd.stop()
    assert {outcome for _, outcome in seen} == {200}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    last = datetime.fromisoformat(lines[-1]["time"]).timestamp()
    assert abs(last - time.time() - hours * HOUR) < 5
    # Durations are none of the wall clock's.
    assert all(0 <= line["duration_ms"] < 10_000 for line in lines)
    assert server.ask_admin("/livez")[0] == 200
    figure(f"{seen.total()} of {seen.total()} requests served around it; limit, deadline and idle time as before it")
