# SPDX-License-Identifier: Apache-2.0
# Too much of everything: connections that come and go, heads and bodies without end. What it costs, and that an honest
# client beside it is served.

import contextlib
import os
import re
import socket
import struct
import subprocess
import time

import pytest

from asking import Broken, Crowd, Keeper, open_to, read_answer
from measures import MIB, cpu_seconds, descriptors, resident
from polling import eventually
from wire import request

GREETING = b"Hello, world\n"
FLOOD_SECONDS = 5
CLOSE = ["Connection: close"]
RESET = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def honest(server, figures):
    """Clients that are served all the while: two that keep their connection, one that does not."""

    def new():
        keeper = Keeper(server.address, expected=GREETING)
        outcome = keeper()
        keeper.close()
        return outcome

    memory, used, began = resident(server), cpu_seconds(server), time.monotonic()
    with Crowd(pause=0.001) as crowd:
        for _ in range(2):
            crowd.add("kept", Keeper(server.address, expected=GREETING))
        crowd.add("new", new)
        crowd.wait_for(100)
        yield crowd
        figures["cpu"] = cpu_seconds(server) - used
        figures["seconds"] = time.monotonic() - began
        figures["memory"] = (resident(server) - memory) / MIB
        seen = crowd.stop()
    outcomes = {outcome: count for (name, outcome), count in seen.items() if name in ("kept", "new")}
    assert set(outcomes) == {200}, seen
    figures["honest"] = outcomes[200]


def expect_nothing_left(server, idle):
    eventually(lambda: server.metric("weir_connections_open") == 0, "all connections are gone", 30)
    eventually(lambda: descriptors(server) <= idle + 2, "their descriptors are free")
    assert server.metric("weir_buffer_bytes") < MIB


def test_connections_that_come_and_go(start, figure):
    server = start(WEIR_LOOPS=2)
    idle, figures = descriptors(server), {}
    with honest(server, figures) as crowd:
        flood = subprocess.Popen(
            ["wrk", "-t1", "-c200", f"-d{FLOOD_SECONDS}s", "-H", "Connection: close", server.url + "/hello"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        closed = 0
        while flood.poll() is None:
            # Without a request: closed, or reset.
            with open_to(server.address) as connection:
                if closed % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            closed += 1
        crowd.wait_for(100)
    report = flood.communicate()[0]
    answered = int(re.search(r"(\d+) requests in", report)[1])
    accepted = server.metric("weir_connections_accepted_total")
    expect_nothing_left(server, idle)
    figure(
        f"{accepted / figures['seconds']:.0f} connections a second ({answered} with a request, {closed} without), "
        f"{figures['cpu'] / accepted * 1e6:.1f} us of CPU for each, {figures['memory']:+.1f} MiB; "
        f"{figures['honest']} of {figures['honest']} honest requests served"
    )


@pytest.mark.parametrize("bomb, status", [
    (b"GET /hello HTTP/1.1\r\nHost: test\r\n" + b"X: " + b"x" * (64 << 10) + b"\r\n\r\n", 431),
    (b"GET /hello HTTP/1.1\r\nHost: test\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n", 431),
    (b"GET /" + b"x" * (64 << 10) + b" HTTP/1.1\r\nHost: test\r\n\r\n", 414),
], ids=["a long field", "many fields", "a long line"])  # fmt: skip
def test_heads_that_are_too_much(start, figure, bomb, status):
    server = start(WEIR_LOOPS=1)
    idle, figures, sent = descriptors(server), {}, 2000
    with honest(server, figures):
        for _ in range(sent):
            with open_to(server.address) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(bomb)
                # What is not read of it may be answered by a reset, behind the answer.
                with contextlib.suppress(Broken, ConnectionError):
                    assert read_answer(connection)[0] == status
    expect_nothing_left(server, idle)
    assert server.metric(f'weir_parse_faults_total{{status="{status}"}}') == sent
    figure(
        f"{sent} answered {status}, {figures['memory']:+.1f} MiB, at most {figures['cpu'] / sent * 1e6:.0f} us of CPU "
        f"for each; {figures['honest']} of {figures['honest']} honest requests served"
    )


# Beside what is held, glibc keeps the room of bodies that were freed for the next ones. Told to give back what has
# 64 KiB or more, as Weir tells it in pods of less than 1 GiB, it does not.
@pytest.mark.parametrize("allocator, most", [({}, 256), ({"MALLOC_MMAP_THRESHOLD_": 64 << 10}, 72)],
                         ids=["as it is", "freed memory goes back"])  # fmt: skip
def test_bodies_that_do_not_fit_are_refused_and_honest_requests_are_not(start, figure, allocator, most):
    """Many of the largest size that is collected, at once, where a tenth of them fits."""
    server = start(WEIR_LOOPS=2, WEIR_BUFFER_MEMORY="64MiB", **allocator)
    idle, figures, count = descriptors(server), {}, 60
    body = os.urandom(10 << 20)
    seen, peak, held = [], 0, 0

    def send():
        with open_to(server.address) as connection:
            try:
                connection.sendall(request("/length", "POST", [f"Content-Length: {len(body)}", *CLOSE], body))
            except ConnectionError:
                pass
            try:
                status, _, text, _ = read_answer(connection)
                seen.append(status if status != 200 or int(text) == len(body) else "wrong")
            except (Broken, ConnectionError):
                seen.append("ended")

    with contextlib.closing(server.admin_connection()) as admin, honest(server, figures) as crowd:
        before = resident(server)
        for _ in range(20):
            crowd.add("bomb", send)
        while len(seen) < count:
            peak, held = max(peak, resident(server)), max(held, server.metric("weir_buffer_bytes", admin))
            assert not crowd.failures, crowd.failures
            crowd.ends.wait(0.01)
    expect_nothing_left(server, idle)
    assert set(seen) <= {200, 503, "ended"} and 200 in seen
    assert held <= 64 * MIB
    assert peak - before < most * MIB
    figure(
        f"{len(seen)} bodies of 10 MiB, 20 at a time, in 64 MiB: {seen.count(200)} taken, "
        f"{len(seen) - seen.count(200)} refused; at most {held / MIB:.0f} MiB held, {(peak - before) / MIB:.0f} more "
        f"resident; {figures['honest']} of {figures['honest']} honest requests served"
    )


def test_a_body_in_chunks_of_one_byte(start, figure):
    server = start(WEIR_LOOPS=1)
    idle, figures, count = descriptors(server), {}, 1 << 20
    with honest(server, figures):
        with open_to(server.address) as connection:
            used = cpu_seconds(server)
            connection.sendall(request("/length", "POST", ["Transfer-Encoding: chunked", *CLOSE]))
            connection.sendall(b"1\r\nx\r\n" * count + b"0\r\n\r\n")
            assert read_answer(connection)[2] == b"%d\n" % count
            used = cpu_seconds(server) - used
    expect_nothing_left(server, idle)
    figure(
        f"{count} chunks of one byte: at most {used / count * 1e9:.0f} ns of CPU for each, "
        f"{figures['memory']:+.1f} MiB; {figures['honest']} of {figures['honest']} honest requests served"
    )
