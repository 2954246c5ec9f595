# SPDX-License-Identifier: Apache-2.0
# From the stop signal to exit code 0: readiness fails, the listener stays, what is in flight ends, nothing is lost.

import signal
import socket
import threading
import time

import pytest

from polling import eventually
from server import run_to_failure
from wire import Wire, request

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def is_refused(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # It was in the queue of the listener that closes.
        return False
    return False


@pytest.mark.parametrize("number", SIGNALS)
def test_an_idle_service_ends_with_exit_code_0(serve, number):
    server = serve()
    server.signal(number)
    assert server.wait() == 0
    assert server.messages == ["serving", "draining", "drained"]


@pytest.mark.parametrize("number", SIGNALS)
def test_readiness_fails_at_once_while_requests_are_still_served(serve, number):
    server = serve(WEIR_DRAIN_DELAY="1500ms")
    assert server.ask_admin("/readyz")[0] == 200
    with server.connect() as kept, server.connect() as silent:
        assert not kept.get().closes
        server.signal(number)
        signalled = time.monotonic()
        eventually(lambda: server.ask_admin("/readyz")[0] == 503, "readiness fails")
        assert time.monotonic() < signalled + 1.4, "readiness waited for the drain delay"
        assert server.ask_admin("/livez")[0] == 200
        reply = kept.get()
        assert (reply.status, reply.closes) == (200, True)
        kept.expect_end()
        with server.connect() as late:
            reply = late.get("/async")
            assert (reply.status, reply.closes) == (200, True)
        # One that asks for nothing is kept for the delay, and closed then.
        assert not silent.has_ended()
        silent.expect_end()
    assert server.wait() == 0


@pytest.mark.parametrize("target", ["/sleep?ms=1500", "/files/huge.bin"])
def test_a_request_in_flight_ends_after_the_listener_has_closed(serve, files, target):
    server = serve(WEIR_DRAIN_DELAY="200ms", HELLO_FILES=files)
    with server.connect() as wire:
        wire.send(request(target))
        server.wait_for_metric("weir_requests_total", 1)
        server.signal()
        eventually(lambda: is_refused(server), "the listener closes")
        assert server.process.poll() is None
        assert wire.reply().status == 200
        wire.expect_end()
    assert server.wait() == 0
    assert "drained" in server.messages


def test_the_answer_to_a_request_in_flight_says_that_the_connection_closes(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/sleep?ms=500"))
        server.wait_for_metric("weir_requests_total", 1)
        server.signal()
        reply = wire.reply()
        assert (reply.status, reply.closes) == (200, True)
    assert server.wait() == 0


def test_a_body_that_is_still_coming_is_taken_to_its_end(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n"))
        wire.read_until(b"hello")
        server.signal()
        eventually(lambda: is_refused(server), "the listener closes")
        wire.send(b"5\r\nworld\r\n0\r\n\r\n")
        assert wire.read_to_end().endswith(b"5\r\nworld\r\n0\r\n\r\n")
    assert server.wait() == 0


def test_pipelined_requests_in_flight_are_answered(serve):
    server = serve(WEIR_DRAIN_DELAY="1s")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=300") + request("/users/1/orders/2"))
        server.wait_for_metric("weir_requests_total", 1)
        server.signal()
        first = wire.reply()
        assert first.status == 200
        if not first.closes:
            assert wire.reply().status == 200
        wire.expect_end()
    assert server.wait() == 0


def test_what_does_not_end_is_cut_at_the_drain_timeout(serve):
    server = serve(WEIR_DRAIN_TIMEOUT="700ms", WEIR_DEADLINE="1m")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=60000"))
        server.wait_for_metric("weir_requests_total", 1)
        began = time.monotonic()
        server.signal()
        assert wire.read_to_end() == b""
        assert server.wait() == 0
        assert time.monotonic() >= began + 0.6, "it did not wait for the request"
    assert "drain timed out" in server.messages


def test_the_process_ends_although_a_client_neither_reads_nor_closes(serve, files):
    server = serve(WEIR_DRAIN_TIMEOUT="500ms", HELLO_FILES=files)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/files/huge.bin"))
        wire.read_until(b"\r\n\r\n")
        server.signal()
        assert server.wait() == 0


class Client(threading.Thread):
    """Asks without pause over a kept connection, and opens another when it is told that this one closes."""

    def __init__(self, server, target, may_connect):
        super().__init__(daemon=True)
        self.server, self.target, self.may_connect = server, target, may_connect
        self.answers, self.failures, self.was_told = 0, [], 0

    def run(self):
        while self.may_connect():
            try:
                wire = self.server.connect()
            except (ConnectionRefusedError, ConnectionResetError):
                return
            with wire:
                self.use(wire)

    def use(self, wire):
        asked = 0
        while True:
            try:
                reply = wire.get(self.target)
            except Exception as error:
                # A reset before the first answer: the kernel took the connection, and the listener closed before the
                # service could. No server can help that; a load balancer has long stopped connecting by then.
                if not (asked == 0 and isinstance(error, (ConnectionResetError, BrokenPipeError))):
                    self.failures.append(f"request {asked + 1} of its connection: {error!r}")
                return
            if reply.status != 200:
                self.failures.append(f"status {reply.status}")
                return
            asked += 1
            self.answers += 1
            if reply.closes:
                self.was_told += 1
                return


TARGETS = ["/hello", "/async", "/blocking", "/sleep?ms=20", "/files/inside.txt"]


def drain_under_load(server, may_connect=lambda: True):
    clients = [Client(server, TARGETS[index % len(TARGETS)], may_connect) for index in range(10)]
    for client in clients:
        client.start()
    server.wait_for_metric("weir_requests_total", 500)
    server.signal()
    assert server.wait() == 0
    for client in clients:
        client.join(10)
        assert not client.is_alive()
    assert [failure for client in clients for failure in client.failures] == []
    assert all(client.answers and client.was_told for client in clients)


def test_a_drain_under_load_fails_no_request(serve, files):
    drain_under_load(serve(WEIR_DRAIN_DELAY="500ms", HELLO_FILES=files))


def test_a_drain_under_load_fails_no_request_of_clients_that_heed_readiness(serve, files):
    server = serve(WEIR_DRAIN_DELAY="1s", HELLO_FILES=files)
    ready = threading.Event()
    ready.set()

    def watch():
        while server.ask_admin("/readyz")[0] == 200:
            time.sleep(0.05)
        ready.clear()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    drain_under_load(server, ready.is_set)
    watcher.join(10)


def test_two_services_run_on_one_machine(serve):
    one, other = serve(), serve()
    with one.connect() as to_one, other.connect() as to_other:
        assert (to_one.get().status, to_other.get().status) == (200, 200)
        one.signal()
        assert one.wait() == 0
        assert to_other.get().status == 200


@pytest.mark.parametrize("setting", ["WEIR_LISTEN", "WEIR_ADMIN_LISTEN"])
def test_a_port_in_use_is_reported_in_one_line_with_exit_code_69(setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, lines = run_to_failure({setting: address})
    assert code == 69
    assert len(lines) == 1 and address in lines[0] and "use" in lines[0], lines


def test_a_second_service_does_not_take_a_port_of_the_first(serve):
    first = serve()
    code, lines = run_to_failure({"WEIR_LISTEN": f"127.0.0.1:{first.port}"})
    assert code == 69
    assert len(lines) == 1 and str(first.port) in lines[0], lines


def test_an_address_that_this_machine_lacks_is_reported_with_exit_code_69():
    code, lines = run_to_failure({"WEIR_LISTEN": "192.0.2.1:8080"})
    assert code == 69
    assert len(lines) == 1 and "192.0.2.1:8080" in lines[0], lines


def test_a_service_restarts_on_its_port_while_old_connections_linger(serve):
    first = serve()
    with first.connect() as wire:
        assert wire.get().status == 200
        first.signal()
        assert first.wait() == 0
        second = serve(WEIR_LISTEN=f"127.0.0.1:{first.port}")
        with Wire(second.address) as other:
            assert other.get().status == 200
