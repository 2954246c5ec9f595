# SPDX-License-Identifier: Apache-2.0
# Each limit at its boundary: what fits is served, one more is refused.

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from polling import eventually
from wire import request


def request_line(byte_count):
    """A request whose line has so many bytes with its CRLF."""
    rest = "/hello?" + "x" * (byte_count - len("GET /hello? HTTP/1.1\r\n"))
    text = request(rest)
    assert text.index(b"\r\n") + 2 == byte_count
    return text


def header_section(byte_count):
    """A request whose fields have so many bytes with all CRLFs."""
    empty = len(request(headers=["X-Fill: "])) - len("GET /hello HTTP/1.1\r\n")
    return request(headers=["X-Fill: " + "x" * (byte_count - empty)])


def fields(count):
    return request(headers=[f"X-{index}: a" for index in range(count - 1)])


def expect_refused(wire, status):
    reply = wire.reply()
    assert (reply.status, reply.closes) == (status, True)
    wire.expect_end()


CASES = [
    # setting, value, what makes a request, the largest that fits, status beyond it
    ("WEIR_REQUEST_LINE_BYTES", "256", request_line, 256, 414),
    ("WEIR_REQUEST_LINE_BYTES", None, request_line, 8 << 10, 414),
    ("WEIR_REQUEST_LINE_BYTES", "64KiB", request_line, 64 << 10, 414),
    ("WEIR_HEADER_BYTES", "1KiB", header_section, 1 << 10, 431),
    ("WEIR_HEADER_BYTES", None, header_section, 32 << 10, 431),
    ("WEIR_HEADER_BYTES", "256KiB", header_section, 256 << 10, 431),
    ("WEIR_HEADER_FIELDS", "8", fields, 8, 431),
    ("WEIR_HEADER_FIELDS", None, fields, 100, 431),
    ("WEIR_HEADER_FIELDS", "1000", fields, 1000, 431),
]


@pytest.mark.parametrize("setting, value, make, most, status", CASES)
def test_a_head_at_its_limit_is_served_and_one_beyond_is_refused(serve, setting, value, make, most, status):
    server = serve(**{setting: value})
    with server.connect() as wire:
        wire.send(make(most))
        assert wire.reply().status == 200
        wire.send(make(most + 1))
        expect_refused(wire, status)
    assert server.metric(f'weir_parse_faults_total{{status="{status}"}}') == 1


def test_a_head_without_end_is_refused_before_it_ends(serve):
    server = serve(WEIR_HEADER_BYTES="4KiB", WEIR_REQUEST_LINE_BYTES="512")
    with server.connect() as wire:
        wire.send(b"GET /" + b"x" * 600)
        expect_refused(wire, 414)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX-A: " + b"x" * 5000)
        expect_refused(wire, 431)


@pytest.mark.parametrize("target", ["/hello", "/blocking"])
def test_a_collected_body_over_the_limit_is_answered_413(serve, target):
    server = serve(WEIR_BODY_BYTES="1KiB")
    with server.connect() as wire:
        assert wire.get(target, headers=["Content-Length: 1024"], body=b"x" * 1024).status == 200
        wire.send(request(target, headers=["Content-Length: 1025"], body=b"x" * 1025))
        expect_refused(wire, 413)


@pytest.mark.parametrize("target", ["/hello", "/blocking"])
def test_a_chunked_body_over_the_limit_is_answered_413(serve, target):
    server = serve(WEIR_BODY_BYTES="1KiB")
    with server.connect() as wire:
        chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
        assert wire.get(target, headers=["Transfer-Encoding: chunked"], body=chunk * 4 + b"0\r\n\r\n").status == 200
        wire.send(request(target, headers=["Transfer-Encoding: chunked"], body=chunk * 4 + b"1\r\nx\r\n0\r\n\r\n"))
        expect_refused(wire, 413)


def test_a_body_over_the_default_limit_is_refused_by_its_length_alone(server):
    with server.connect() as wire:
        wire.send(request(headers=[f"Content-Length: {(10 << 20) + 1}"]))
        expect_refused(wire, 413)


def test_a_body_over_the_limit_is_not_asked_for(server):
    with server.connect() as wire:
        wire.send(request(headers=[f"Content-Length: {(10 << 20) + 1}", "Expect: 100-continue"]))
        reply = wire.reply()
        assert (reply.status, reply.informational, reply.closes) == (413, [], True)


def test_bodies_over_the_limit_are_counted(serve):
    server = serve(WEIR_BODY_BYTES="1KiB")
    with server.connect() as wire:
        wire.send(request(headers=["Content-Length: 1025"], body=b"x" * 1025))
        expect_refused(wire, 413)
    assert server.metric('weir_parse_faults_total{status="413"}') == 1


def test_a_streamed_body_may_be_larger_than_what_is_collected(serve, curl):
    server = serve(WEIR_BODY_BYTES="1KiB")
    body = random.Random(7).randbytes(1 << 20)
    assert curl("--data-binary", "@-", server.url + "/echo", input=body) == body


def test_small_windows_change_nothing_but_the_pace(serve, curl):
    server = serve(WEIR_BODY_WINDOW="4KiB", WEIR_OUTPUT_WINDOW="16KiB")
    body = random.Random(8).randbytes(4 << 20)
    assert curl("--data-binary", "@-", server.url + "/echo", input=body) == body


def test_an_echo_that_nobody_reads_holds_its_sender_back(serve):
    server = serve(WEIR_BODY_WINDOW="4KiB", WEIR_OUTPUT_WINDOW="16KiB")
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/echo", "POST", ["Content-Length: 1000000000"]))
        wire.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 << 20:
                sent += wire.socket.send(b"x" * 65536)
        assert server.metric("weir_buffer_bytes") < 1 << 20
        with server.connect() as other:
            assert other.get().status == 200


def test_a_connection_closes_after_its_last_request(serve):
    server = serve(WEIR_KEEPALIVE_REQUESTS=3)
    with server.connect() as wire:
        assert [wire.get().closes for _ in range(3)] == [False, False, True]
        wire.expect_end()


def test_requests_pipelined_behind_the_last_one_are_not_answered(serve):
    server = serve(WEIR_KEEPALIVE_REQUESTS=3)
    with server.connect() as wire:
        wire.send(request("/async") * 5)
        assert [wire.reply().closes for _ in range(3)] == [False, False, True]
        wire.expect_end()
    assert server.metric("weir_requests_total") == 3


def test_a_thousand_requests_are_the_default_for_a_connection(serve):
    server = serve()
    with server.connect() as wire:
        for _ in range(10):
            wire.send(request() * 100)
            closes = [wire.reply().closes for _ in range(100)]
        assert closes == [False] * 99 + [True]
        wire.expect_end()


def test_an_old_connection_is_closed_by_its_next_answer(serve):
    server = serve(WEIR_CONNECTION_AGE="1s")
    with server.connect() as wire:
        assert not wire.get().closes
        # Asks all the time, so it is never idle when it gets too old.
        reply = eventually(lambda: (lambda reply: reply if reply.closes else None)(wire.get("/sleep?ms=30")), "closing")
        assert reply.status == 200
        wire.expect_end()


def test_an_old_idle_connection_is_closed(serve):
    server = serve(WEIR_CONNECTION_AGE="1s")
    with server.connect() as wire:
        assert not wire.get().closes
        wire.expect_end()
    # It was closed by its age, which no timeout counter should claim.
    assert server.metric('weir_timeouts_total{kind="keepalive"}') == 0


def test_connections_of_the_same_moment_grow_old_at_different_times(serve):
    server = serve(WEIR_CONNECTION_AGE="4s")
    opened = time.monotonic()
    wires = [server.connect() for _ in range(32)]
    assert all(wire.get().status == 200 for wire in wires)
    counts = set()

    def all_ended():
        counts.add(sum(wire.has_ended() for wire in wires))
        if len(counts) == 2:
            # The first has ended, not before nine tenths of the age.
            assert time.monotonic() - opened > 3.5
        return max(counts) == len(wires)

    eventually(all_ended, "all have ended")
    # One tenth to either side: they do not come back together. At the same time would be seen as none, then all.
    assert len(counts) > 4, counts
    for wire in wires:
        wire.close()


def test_connections_beyond_the_limit_wait_until_one_closes(serve):
    server = serve(WEIR_CONNECTIONS=4)
    busy = [server.connect() for _ in range(4)]
    for wire in busy:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
    # Two loops that accept at the same moment may each take the last one.
    server.wait_for_metric("weir_connections_accepted_total", 4)
    with server.connect() as waiting:
        waiting.send(request())
        server.wait_for_metric("weir_accept_pauses_total", 1)
        assert server.metric("weir_connections_accepted_total") == 4
        busy[0].close()
        assert waiting.reply().status == 200
    for wire in busy:
        wire.close()


def test_at_the_limit_the_longest_idle_connection_makes_room(serve):
    server = serve(WEIR_CONNECTIONS=4, WEIR_LOOPS=1)
    idle = [server.connect() for _ in range(4)]
    assert all(wire.get().status == 200 for wire in idle)
    with server.connect() as new:
        assert new.get().status == 200
    assert [wire.has_ended() for wire in idle] == [True, False, False, False]
    assert server.metric("weir_connections_shed_total") == 1
    for wire in idle:
        wire.close()


@pytest.mark.parametrize("loops", [1, 2])
def test_connections_that_come_at_once_do_not_exceed_the_limit(serve, loops):
    server = serve(WEIR_CONNECTIONS=8, WEIR_LOOPS=loops)
    wires = [server.connect() for _ in range(60)]
    # Those that are let in stay: their bodies have not come.
    for wire in wires:
        wire.send(request("/echo", "POST", ["Content-Length: 1"]))
    server.wait_for_metric("weir_accept_pauses_total", 1)
    assert server.wait_for_metric("weir_connections_open", 8) == 8

    def finish(wire):
        with wire:
            wire.send(b"x")
            return wire.reply().status

    # Each that ends lets another in, in whatever order, until all have had their turn.
    with ThreadPoolExecutor(len(wires)) as pool:
        assert list(pool.map(finish, wires)) == [200] * len(wires)


def test_a_body_that_is_refused_while_it_comes_does_not_hide_the_answer(serve):
    server = serve(WEIR_BODY_BYTES="1KiB")
    with server.connect() as wire:
        wire.send(request("/hello", headers=["Content-Length: 900000"], body=b"x" * 900_000))
        expect_refused(wire, 413)
