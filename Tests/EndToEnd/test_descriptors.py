# SPDX-License-Identifier: Apache-2.0
# When file descriptors run short, idle connections go first; when there are none, accepting pauses and serving goes on.

import contextlib
import json
import os
import resource

import pytest

from polling import eventually
from wire import request


@pytest.mark.parametrize("descriptors, connections", [(128, None), (128, 1000), (512, None)])
def test_above_the_high_mark_the_longest_idle_connections_are_closed_first(serve, descriptors, connections):
    server = serve(descriptors=descriptors, WEIR_LOOPS=1, WEIR_CONNECTIONS=connections)
    assert server.metric("process_max_fds") == descriptors
    with contextlib.ExitStack() as stack:
        wires = []
        for index in range(descriptors * 2):
            wire = stack.enter_context(server.connect())
            wires.append(wire)
            assert wire.get(f"/users/{index}/orders/1").status == 200
        ended = [wire.has_ended() for wire in wires]
        shed = sum(ended)
        assert descriptors < shed < len(wires)
        # The oldest are closed and the newest are not, without exception.
        assert ended == [True] * shed + [False] * (len(wires) - shed)
        metrics = server.metrics()
        assert metrics["weir_connections_shed_total"] == shed
        assert metrics["process_open_fds"] <= descriptors * 0.87 + 2
        for wire in wires[shed:]:
            assert wire.get().status == 200


def test_a_connection_that_is_used_survives_while_idle_ones_are_closed(serve):
    server = serve(descriptors=512, WEIR_LOOPS=2, WEIR_KEEPALIVE_REQUESTS=1_000_000)
    with server.connect() as used, contextlib.ExitStack() as stack:
        for _ in range(1200):
            stack.enter_context(server.connect())
            assert used.get().status == 200
        eventually(lambda: server.metric("weir_connections_shed_total") > 500, "idle connections are closed")


def test_the_high_mark_can_be_set(serve):
    server = serve(descriptors=512, WEIR_LOOPS=1, WEIR_DESCRIPTORS_HIGH=25)
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            assert stack.enter_context(server.connect()).get().status == 200
            assert server.metric("process_open_fds") <= 512 * 0.25 + 4
    assert server.metric("weir_connections_shed_total") > 200


def test_at_the_highest_mark_idle_connections_still_make_room(serve):
    server = serve(descriptors=128, WEIR_LOOPS=1, WEIR_CONNECTIONS=1000, WEIR_DESCRIPTORS_HIGH=100)
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            assert stack.enter_context(server.connect()).get().status == 200
    assert server.metric("weir_connections_shed_total") > 80


def test_a_connection_whose_request_has_come_is_not_taken_for_idle(serve):
    server = serve(descriptors=128, WEIR_LOOPS=1, WEIR_CONNECTIONS=1000)
    with contextlib.ExitStack() as stack:
        # All at once: many are accepted before the first request is read.
        wires = [stack.enter_context(server.connect()) for _ in range(200)]
        for wire in wires:
            wire.send(request("/sleep?ms=300"))
        for wire in wires:
            assert wire.reply().status == 200
            wire.close()


class Exhausted:
    """A service whose every descriptor belongs to a busy connection, and clients that wait for one."""

    DESCRIPTORS = 128

    def __init__(self, serve, stack, files):
        self.server = serve(
            descriptors=self.DESCRIPTORS, WEIR_LOOPS=1, WEIR_CONNECTIONS=1000, WEIR_DEADLINE="1m", HELLO_FILES=files
        )
        # Opened before there is none left.
        self.admin = self.server.admin_connection()
        stack.callback(self.admin.close)
        self.talking = stack.enter_context(self.server.connect())
        self.talking.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
        self.asking = stack.enter_context(self.server.connect())
        self.asking.send(request("/sleep?ms=3000") + request("/files/inside.txt") + request())
        self.busy = []
        # One after the other, so that none is idle when the next comes.
        while not self.metric("weir_accept_pauses_total"):
            assert len(self.busy) < self.DESCRIPTORS
            self.open(stack)
            eventually(
                lambda: self.metric("weir_requests_total") >= len(self.busy) + 2
                or self.metric("weir_accept_pauses_total"),
                "the connection is busy, or waits",
            )
        self.accepted = self.metric("weir_connections_accepted_total")
        for _ in range(20):
            self.open(stack)

    def open(self, stack):
        wire = stack.enter_context(self.server.connect())
        wire.send(request("/sleep?ms=5000"))
        self.busy.append(wire)

    def metric(self, name):
        return self.server.metric(name, self.admin)


@pytest.fixture
def exhausted(serve, files):
    with contextlib.ExitStack() as stack:
        yield Exhausted(serve, stack, files)


def test_without_descriptors_serving_goes_on_and_accepting_recovers_by_itself(exhausted):
    server = exhausted.server
    # A sixteenth is kept for files, the log and the admin port.
    assert exhausted.metric("process_open_fds") >= exhausted.DESCRIPTORS * 15 // 16 - 2
    assert exhausted.metric("weir_connections_accepted_total") == exhausted.accepted
    assert exhausted.metric("weir_connections_shed_total") == 0
    # Who is connected is served.
    for word in [b"one", b"two", b"three"]:
        exhausted.talking.send(b"%x\r\n%s\r\n" % (len(word), word))
        exhausted.talking.read_until(word)
    # Who waits is served as soon as others go: not one is lost.
    with server.connect() as late:
        late.send(request("/users/late/orders/1"))
        for wire in exhausted.busy:
            assert wire.reply().status == 200
            wire.close()
        assert late.reply().body == b"user late, order 1\n"
    with server.connect() as new:
        assert new.get().status == 200
    exhausted.talking.send(b"0\r\n\r\n")
    exhausted.talking.read_until(b"0\r\n\r\n")
    assert exhausted.metric("weir_connections_accepted_total") == len(exhausted.busy) + 4


def test_a_paused_listener_does_not_spin(exhausted):
    before = exhausted.metric("weir_loop_turns_total")
    cpu = exhausted.metric("process_cpu_seconds_total")
    # It tries again ten times a second; a spinning loop would turn many thousand times meanwhile.
    eventually(lambda: exhausted.metric("weir_loop_turns_total") - before >= 12, "accepting is tried again")
    assert exhausted.metric("weir_loop_turns_total") - before < 500
    assert exhausted.metric("process_cpu_seconds_total") - cpu < 0.5


def test_a_limit_that_falls_below_what_is_open_pauses_accepting_until_it_rises(serve):
    server = serve(descriptors=512, WEIR_LOOPS=1)
    admin = server.admin_connection()
    with contextlib.closing(admin), server.connect() as kept:
        # Before there is none to be had for it.
        assert server.metric("weir_accept_failures_total", admin) == 0
        # Busy, since an idle one may be closed for another.
        kept.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"1\r\n.\r\n"))
        kept.read_until(b"1\r\n.\r\n")
        taken = {int(name) for name in os.listdir(f"/proc/{server.process.pid}/fd")}
        free = min(set(range(len(taken) + 1)) - taken)
        # The service does not learn of it: the kernel refuses it what it thinks there is.
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (free, 512))
        with contextlib.ExitStack() as stack:
            # Some may get what has been closed since; one does not.
            waiting = [stack.enter_context(server.connect()) for _ in range(4)]
            for wire in waiting:
                wire.send(request())
            server.wait_for_metric("weir_accept_failures_total", 1, admin)
            server.wait_for_metric("weir_accept_pauses_total", 1, admin)
            for _ in range(20):
                kept.send(b"1\r\n.\r\n")
                kept.read_until(b"1\r\n.\r\n")
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (512, 512))
            assert [wire.reply().status for wire in waiting] == [200] * 4


def test_a_file_is_not_called_missing_for_want_of_descriptors(exhausted):
    assert exhausted.asking.reply().status == 200
    reply = exhausted.asking.reply()
    refused = reply.status == 503
    if refused:
        assert json.loads(reply.body)["reason"] == "descriptors"
    else:
        assert (reply.status, reply.body) == (200, b"inside")
    assert exhausted.metric('weir_rejected_total{reason="descriptors"}') == refused
    assert exhausted.asking.reply().status == 200
