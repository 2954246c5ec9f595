# SPDX-License-Identifier: Apache-2.0
# A handler that holds its event loop: it is reported and counted, the other loop serves all the while, and what waited
# for the held one is served behind it.

import collections
import contextlib
import json
import time

import pytest

from asking import open_to, read_answer
from polling import eventually
from wire import request

pytestmark = pytest.mark.short
HELD_SECONDS = 3
# The one that is held, and others that are served or wait.
KEPT, NEW = 8, 40


def is_answered(connection, seconds):
    connection.settimeout(seconds)
    try:
        return read_answer(connection)[0] == 200
    except TimeoutError:
        return False


def test_a_held_loop_is_reported_and_the_other_one_serves(start, figure):
    server = start(HELLO_HOLDS=1, WEIR_LOOPS=2, WEIR_LOOP_STUCK="1s", WEIR_CONCURRENCY=1000)
    with contextlib.ExitStack() as stack:
        def connect():
            return stack.enter_context(open_to(server.address))

        bad, kept = connect(), []
        for _ in range(KEPT):
            kept.append(connect())
            kept[-1].sendall(request())
            assert is_answered(kept[-1], 10)
        assert server.ask_admin("/livez")[0] == 200
        bad.sendall(request(f"/hold?ms={HELD_SECONDS * 1000}"))
        # Its loop has no turn from here on; the answer does not come before it has one again.
        eventually(lambda: server.ask_admin("/livez")[0] == 503, "the loop is reported as stuck")
        began = time.monotonic()
        for connection in kept:
            connection.sendall(request())
        new = [connect() for _ in range(NEW)]
        for connection in new:
            connection.sendall(request())
        served = [connection for connection in kept + new if is_answered(connection, 0.01)]
        # It has not ended meanwhile: what was served was served beside it.
        status, text = server.ask_admin("/livez")
        assert status == 503 and time.monotonic() - began < HELD_SECONDS, text
        kept_served = sum(connection in served for connection in kept)
        assert kept_served >= KEPT // 2 - 1
        # What waited is served when it is over, and nothing is lost.
        assert is_answered(bad, 10)
        assert all(is_answered(connection, 10) for connection in kept + new if connection not in served)
        eventually(lambda: server.ask_admin("/livez")[0] == 200, "it is well again")
    stalls = {name: value for name, value in server.metrics().items() if "stall" in name and value}
    assert stalls

    def entries():
        return [json.loads(line) for line in server.log]

    eventually(
        lambda: any(entry["level"] == "warning" and "/hold" in json.dumps(entry) for entry in entries()),
        "the log names the route",
    )
    figure(
        f"held for {HELD_SECONDS} s: {kept_served} of {KEPT} kept and {len(served) - kept_served} of {NEW} new "
        f"connections served meanwhile, all others behind it; {stalls}, /livez 503 and back"
    )
    assert collections.Counter(entry["level"] for entry in entries())["error"] == 0
