# SPDX-License-Identifier: Apache-2.0
# Clients that are slow, and handlers that are: each is cut off by its timeout and counted, honest ones are not.

import socket
import time

import pytest

from polling import eventually
from wire import request


def timeouts(server, kind):
    return server.metric(f'weir_timeouts_total{{kind="{kind}"}}')


def drip(wire, data, pause):
    """Sends a byte at a time until the server has had enough; says whether it had."""
    for index in range(len(data)):
        try:
            wire.send(data[index:index + 1])
        except (BrokenPipeError, ConnectionResetError):
            return True
        if wire.has_ended():
            return True
        wire.socket.settimeout(pause)
        try:
            if wire.socket.recv(1, socket.MSG_PEEK):
                return True
        except TimeoutError:
            pass
        except ConnectionResetError:
            return True
        finally:
            wire.socket.settimeout(10)
    return False


def test_a_head_that_comes_byte_by_byte_is_answered_408_and_counted(serve):
    server = serve(WEIR_HEAD_TIMEOUT="300ms")
    with server.connect() as wire:
        assert drip(wire, request(headers=["X-Fill: " + "x" * 500]), 0.03)
        reply = wire.reply()
        assert (reply.status, reply.closes) == (408, True)
        wire.expect_end()
    assert timeouts(server, "head") == 1


def test_a_head_that_stops_is_answered_408(serve):
    server = serve(WEIR_HEAD_TIMEOUT="200ms")
    with server.connect() as wire:
        assert wire.get().status == 200
        wire.send(b"GET /hello HTTP/1.1\r\nHost:")
        assert wire.reply().status == 408
        wire.expect_end()
    assert timeouts(server, "head") == 1


def test_a_head_timeout_begins_with_the_first_byte_of_each_request(serve):
    server = serve(WEIR_HEAD_TIMEOUT="1s")
    with server.connect() as wire:
        # Three requests, each in two parts, take longer together than one may.
        for _ in range(3):
            text = request()
            wire.send(text[:10])
            time.sleep(0.4)
            wire.send(text[10:])
            assert wire.reply().status == 200
    assert timeouts(server, "head") == 0


@pytest.mark.parametrize("target", ["/hello", "/blocking"])
def test_a_body_that_stops_is_answered_408_and_counted(serve, target):
    server = serve(WEIR_BODY_TIMEOUT="200ms")
    with server.connect() as wire:
        wire.send(request(target, headers=["Content-Length: 10"], body=b"half"))
        reply = wire.reply()
        assert (reply.status, reply.closes) == (408, True)
        wire.expect_end()
    assert timeouts(server, "body") == 1


@pytest.mark.parametrize("target", ["/hello", "/blocking"])
def test_a_body_that_comes_byte_by_byte_is_cut_off(serve, target):
    server = serve(WEIR_BODY_TIMEOUT="300ms", WEIR_BODY_RATE_MIN="240")
    with server.connect() as wire:
        wire.send(request(target, headers=["Content-Length: 1000"]))
        assert drip(wire, b"x" * 1000, 0.02)
        assert wire.reply().status == 408
        wire.expect_end()
    assert timeouts(server, "body") == 1


def test_a_streamed_body_that_stops_breaks_the_answer_off(serve):
    server = serve(WEIR_BODY_TIMEOUT="200ms")
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n"))
        answer = wire.read_to_end()
        assert answer.startswith(b"HTTP/1.1 ") and not answer.endswith(b"0\r\n\r\n")
    assert timeouts(server, "body") == 1


def test_a_body_above_the_least_rate_may_take_its_time(serve):
    server = serve(WEIR_BODY_TIMEOUT="300ms", WEIR_BODY_RATE_MIN="240")
    with server.connect() as wire:
        wire.send(request("/hello", headers=["Content-Length: 2000"]))
        for _ in range(20):
            wire.send(b"x" * 100)
            time.sleep(0.05)
        assert wire.reply().status == 200
    assert timeouts(server, "body") == 0


def test_a_rate_of_zero_only_asks_that_something_comes(serve):
    server = serve(WEIR_BODY_TIMEOUT="400ms", WEIR_BODY_RATE_MIN="0")
    with server.connect() as wire:
        wire.send(request("/hello", headers=["Content-Length: 20"]))
        for _ in range(20):
            wire.send(b"x")
            time.sleep(0.05)
        assert wire.reply().status == 200


def test_an_idle_connection_is_closed_and_counted(serve):
    server = serve(WEIR_KEEPALIVE_TIMEOUT="200ms")
    with server.connect() as wire:
        assert wire.get().status == 200
        wire.expect_end()
    assert timeouts(server, "keepalive") == 1


def test_a_connection_that_never_speaks_is_closed(serve):
    server = serve(WEIR_KEEPALIVE_TIMEOUT="200ms", WEIR_HEAD_TIMEOUT="200ms")
    with server.connect() as wire:
        wire.expect_end()


def test_a_connection_in_use_is_not_idle(serve):
    server = serve(WEIR_KEEPALIVE_TIMEOUT="400ms")
    with server.connect() as wire:
        for _ in range(5):
            assert wire.get("/sleep?ms=100").status == 200
            time.sleep(0.1)
        assert wire.get("/sleep?ms=800").status == 200
    assert timeouts(server, "keepalive") == 0


def test_a_handler_past_its_deadline_is_answered_504_and_counted(serve):
    server = serve(WEIR_DEADLINE="200ms")
    with server.connect() as wire:
        reply = wire.get("/sleep?ms=60000")
        assert reply.status == 504
        assert reply.header("content-type") == "application/problem+json"
        assert wire.get().status == 200
    assert timeouts(server, "deadline") == 1


def test_deadlines_that_ran_out_are_counted_where_the_documentation_says(serve):
    server = serve(WEIR_DEADLINE="200ms")
    with server.connect() as wire:
        assert wire.get("/sleep?ms=60000").status == 504
    assert server.metric('weir_rejected_total{reason="deadline_exceeded"}') == 1


def test_a_response_that_began_before_the_deadline_may_take_longer(serve):
    server = serve(WEIR_DEADLINE="200ms")
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
        for _ in range(8):
            wire.send(b"5\r\nhello\r\n")
            time.sleep(0.05)
        wire.send(b"0\r\n\r\n")
        reply = wire.reply("POST")
        assert (reply.status, reply.body) == (200, b"hello" * 8)


def test_a_client_that_never_reads_is_cut_off_and_counted(serve, files):
    server = serve(WEIR_WRITE_TIMEOUT="300ms", HELLO_FILES=files)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/files/huge.bin"))
        server.wait_for_metric('weir_timeouts_total{kind="write"}', 1)
        eventually(lambda: server.metric("weir_connections_open") == 0, "the connection is closed")
        assert len(wire.read_to_end()) < 256 << 20
    assert timeouts(server, "write") == 1


def test_a_client_that_pipelines_and_never_reads_is_cut_off(serve, files):
    server = serve(WEIR_WRITE_TIMEOUT="300ms", HELLO_FILES=files)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/files/big.bin") * 50)
        server.wait_for_metric('weir_timeouts_total{kind="write"}', 1)
        eventually(lambda: server.metric("weir_connections_open") == 0, "the connection is closed")


def test_a_client_that_reads_byte_by_byte_is_cut_off(serve, files):
    server = serve(WEIR_WRITE_TIMEOUT="400ms", HELLO_FILES=files)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/files/huge.bin"))

        def read_one():
            try:
                wire.socket.recv(1)
            except ConnectionResetError:
                pass
            return timeouts(server, "write") == 1

        eventually(read_one, "the reader is cut off")
        eventually(lambda: server.metric("weir_connections_open") == 0, "the connection is closed")


def test_a_client_that_reads_slowly_but_steadily_is_served(serve, files):
    server = serve(WEIR_WRITE_TIMEOUT="500ms", HELLO_FILES=files)
    with server.connect(receive_buffer=65536) as wire:
        wire.send(request("/files/huge.bin"))
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert wire.socket.recv(1 << 20)
            time.sleep(0.05)
    assert timeouts(server, "write") == 0


def test_a_client_that_leaves_while_its_handler_sleeps_is_counted_as_cancelled(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/sleep?ms=14000"))
        server.wait_for_metric("weir_requests_total", 1)
    server.wait_for_metric("weir_requests_cancelled_total", 1)
    eventually(lambda: server.metric("weir_connections_open") == 0, "the connection is gone")
    with server.connect() as wire:
        assert wire.get("/sleep?ms=1").status == 200


def test_many_clients_that_reset_their_connections_leave_nothing_behind(serve, files):
    server = serve(HELLO_FILES=files)
    targets = ["/sleep?ms=14000", "/files/huge.bin", "/blocking", "/async", "/hello"]
    for index in range(100):
        wire = server.connect()
        wire.send(request(targets[index % len(targets)]))
        wire.reset() if index % 2 else wire.close()
    eventually(lambda: server.metric("weir_connections_open") == 0, "every connection is gone")
    eventually(lambda: server.metric("process_open_fds") < 40, "every file is closed")
    with server.connect() as wire:
        assert wire.get("/sleep?ms=1").status == 200


def test_a_body_cut_short_is_not_taken_for_whole(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/hello", headers=["Content-Length: 10"], body=b"half"))
        wire.end()
        assert b" 200 " not in wire.read_to_end()
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n"))
        wire.end()
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")


def test_what_clients_do_wrong_is_no_error_of_ours(serve):
    server = serve(WEIR_BODY_TIMEOUT="200ms")
    begun = request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n")
    with server.connect() as stops, server.connect() as lies, server.connect() as leaves, server.connect() as resets:
        for wire in (stops, lies, leaves, resets):
            wire.send(begun)
            wire.read_until(b"hello")
        lies.send(b"nonsense\r\n")
        leaves.end()
        resets.reset()
        for wire in (stops, lies, leaves):
            wire.read_to_end()
    eventually(lambda: server.metric("weir_connections_open") == 0, "every connection is gone")
    assert server.metric("weir_handler_errors_total") == 0
    assert server.messages == ["serving"]


def test_timers_do_not_make_the_loop_spin(serve):
    server = serve(WEIR_LOOPS=1)
    before = server.metric("weir_loop_turns_total")
    with server.connect() as wire:
        for _ in range(50):
            assert wire.get("/sleep?ms=3").status == 200
    # A few turns for each request; a loop that spins until the next tick turns a thousand times.
    assert server.metric("weir_loop_turns_total") - before < 1000
