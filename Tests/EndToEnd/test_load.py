# SPDX-License-Identifier: Apache-2.0
# Many connections at once: no request is lost, and slow clients do not hold up the others.

import contextlib
import re
import subprocess
import threading
import time

import pytest

from polling import eventually
from wire import request


def wrk(*arguments):
    """Runs wrk for two seconds with 64 connections; gives how many requests it counted, and fails for any that failed."""
    result = subprocess.run(
        ["wrk", "-t1", "-c64", "-d2s", *arguments], capture_output=True, text=True, timeout=30, check=True
    )
    assert "Socket errors" not in result.stdout, result.stdout
    assert "Non-2xx" not in result.stdout, result.stdout
    return int(re.search(r"(\d+) requests in", result.stdout)[1])


@pytest.mark.parametrize("target", ["/hello", "/async", "/blocking", "/files/inside.txt"])
def test_wrk_sees_no_error(serve, files, target):
    server = serve(HELLO_FILES=files)
    counted = wrk(server.url + target)
    assert counted > 64
    assert server.metric("weir_requests_total") >= counted
    assert server.metric("weir_handler_errors_total") == 0


@pytest.mark.parametrize("target", ["/hello", "/async", "/blocking"])
def test_wrk_with_16_pipelined_requests_sees_no_error(serve, tmp_path, target):
    # A connection that closes after its last request leaves pipelined ones unanswered, as it may; here none closes.
    server = serve(WEIR_KEEPALIVE_REQUESTS=1_000_000_000)
    script = tmp_path / "pipeline.lua"
    script.write_text(
        "init = function(arguments)\n"
        "  local requests = {}\n"
        f"  for index = 1, 16 do requests[index] = wrk.format('GET', '{target}') end\n"
        "  pipelined = table.concat(requests)\n"
        "end\n"
        "request = function() return pipelined end\n"
    )
    assert wrk("-s", str(script), server.url) > 64 * 16


def test_slow_clients_do_not_hold_up_honest_ones(serve):
    server = serve(WEIR_HEAD_TIMEOUT="30s", WEIR_BODY_TIMEOUT="30s")
    heads = b"GET /hello HTTP/1.1\r\nHost: test\r\nX-Slow: " + b"x" * 1000
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(200)]
        for wire in slow[100:]:
            wire.send(request("/hello", headers=["Content-Length: 1000"]))
        done = threading.Event()

        def drip():
            sent = 0
            while not done.is_set():
                for index, wire in enumerate(slow):
                    wire.send(heads[sent:sent + 1] if index < 100 else b"x")
                sent += 1
                time.sleep(0.05)

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        with server.connect() as honest:
            for _ in range(200):
                assert honest.get("/async").status == 200
                assert honest.get("/blocking").status == 200
        assert wrk(server.url + "/hello") > 64
        done.set()
        dripping.join()
        assert not any(wire.has_ended() for wire in slow)


def test_slow_clients_are_all_cut_off(serve):
    server = serve(WEIR_HEAD_TIMEOUT="500ms")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(200)]
        for wire in slow:
            wire.send(b"GET /hello HTTP/1.1\r\nHo")
        server.wait_for_metric('weir_timeouts_total{kind="head"}', 200)
        for wire in slow:
            assert wire.reply().status == 408
    with server.connect() as wire:
        assert wire.get().status == 200


def test_many_sleepers_share_few_threads(serve):
    server = serve(WEIR_LOOPS=1)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(500)]
        began = time.monotonic()
        for wire in wires:
            wire.send(request("/sleep?ms=500"))
        threads = len(server.threads())
        assert {wire.reply().status for wire in wires} == {200}
        # One after the other would take more than four minutes.
        assert time.monotonic() - began < 30
        assert threads < 30


def test_connections_that_come_and_go_leave_nothing_behind(serve):
    server = serve()
    for _ in range(3):
        subprocess.run(["wrk", "-t1", "-c200", "-d1s", "-H", "Connection: close", server.url + "/async"],
                       capture_output=True, timeout=30, check=True)
    eventually(lambda: server.metric("weir_connections_open") == 0, "every connection is gone")
    metrics = server.metrics()
    assert metrics["weir_connections_accepted_total"] == metrics["weir_connections_closed_total"]
    assert metrics["process_open_fds"] < 40
    assert metrics["weir_buffer_bytes"] < 1 << 20
