# SPDX-License-Identifier: Apache-2.0
# What runs at once, what waits for it, and what is turned away: after each of these, every place was given back.

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from admission import ONE_PLACE, Holder, expect_quiet, pool, rejected, wait_for_pool
from polling import eventually
from upstream import answer
from wire import request

BODY = os.urandom(300_000)
LEAVING = ["close", "end", "reset"]


def chunked(body, size=7000):
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def send_later(wire, data):
    """Sends on a thread of its own: the service may not read on before its answer is due."""
    thread = threading.Thread(target=wire.send, args=(data,))
    thread.start()
    return thread


@pytest.mark.parametrize("target", ["/hello", "/async", "/blocking", "/files/inside.txt", "/files/big.bin", "/sleep?ms=1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_waits_and_then_has_its_answer(serve, files, target, method):
    server = serve(**ONE_PLACE, HELLO_FILES=files)
    holder = Holder(server)
    with server.connect() as wire:
        wire.send(request(target, "GET"))
        wait_for_pool(server, executing=1, queued=1)
        holder.end()
        assert wire.reply().status == 200
        if method == "HEAD":
            wire.send(request(target, "HEAD"))
            assert wire.reply("HEAD").status in (200, 405)
    expect_quiet(server)
    assert pool(server, "queue_waited_total") == pool(server, "queue_granted_total") == 1
    assert server.metric("weir_queue_wait_seconds_count") == 1
    assert server.metric("weir_queue_wait_seconds_sum") > 0


@pytest.mark.parametrize("target, method", [("/echo", "POST"), ("/hello", "GET"), ("/blocking", "GET"), ("/async", "GET")])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_body_waits_with_its_request_and_arrives_whole(serve, target, method, coding):
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    with server.connect() as wire:
        fields = ["Transfer-Encoding: chunked"] if coding == "chunked" else [f"Content-Length: {len(BODY)}"]
        head = request(target, method, fields)
        # A request follows behind the body.
        sending = send_later(wire, head + (chunked(BODY) if coding == "chunked" else BODY) + request())
        wait_for_pool(server, executing=1, queued=1)
        holder.end()
        reply = wire.reply()
        assert reply.status == 200
        if target == "/echo":
            assert reply.body == BODY
        assert wire.reply().body == b"Hello, world\n"
        sending.join()
    expect_quiet(server)


@pytest.mark.parametrize("target, method", [("/echo", "POST"), ("/blocking", "GET")])
def test_a_client_that_waits_for_100_has_it_when_somebody_takes_the_body(serve, target, method):
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    with server.connect() as wire:
        wire.send(request(target, method, ["Content-Length: 4", "Expect: 100-continue"]))
        if target == "/echo":
            # An asynchronous handler asks for the body, and it waits to run.
            wait_for_pool(server, executing=1, queued=1)
            assert not wire.has_ended() and wire.rest == b""
            holder.end()
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            wire.send(b"body")
        else:
            # A synchronous one has its body whole before it asks to run.
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            wire.send(b"body")
            wait_for_pool(server, executing=1, queued=1)
            holder.end()
        assert wire.reply().status == 200
    expect_quiet(server)


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize(
    "sent",
    [
        request("/async"),
        request("/async") + request("/hello"),
        request("/async") + b"GET /hel",
        request("/echo", "POST", [f"Content-Length: {len(BODY)}"], BODY[:100]),
        request("/echo", "POST", ["Content-Length: 100"], BODY[:100]),
        request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n"),
        request("/echo", "POST", ["Content-Length: 4", "Expect: 100-continue"]),
        request("/blocking", headers=["Content-Length: 4"], body=b"body") + request(),
    ],
    ids=[
        "a request", "two requests", "a request and half a head", "the begin of a long body", "the begin of a body",
        "the begin of a body in chunks", "a body that waits for a 100", "a request with a body and one behind it",
    ],
)
def test_a_client_that_leaves_while_it_waits_takes_no_place(serve, leaving, sent):
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    with server.connect() as behind:
        with server.connect() as wire:
            wire.send(sent)
            wait_for_pool(server, executing=1, queued=1)
            behind.send(request())
            wait_for_pool(server, executing=1, queued=2)
            getattr(wire, leaving)()
            wait_for_pool(server, executing=1, queued=1)
            if leaving == "end":
                assert wire.read_to_end() == b""
        holder.end()
        assert behind.reply().status == 200
    expect_quiet(server)
    assert server.metric("weir_requests_cancelled_total") == 1


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("target", ["/sleep?ms=60000", "/files/huge.bin"])
def test_a_client_that_leaves_in_the_middle_gives_its_place_back(serve, files, leaving, target):
    server = serve(**ONE_PLACE, HELLO_FILES=files)
    with server.connect(receive_buffer=4096) as wire, server.connect() as behind:
        wire.send(request(target))
        wait_for_pool(server, executing=1)
        behind.send(request())
        wait_for_pool(server, executing=1, queued=1)
        if leaving == "end" and "huge" in target:
            # One that only reads has its answer, and lets go in the end.
            wire.end()
            wire.close()
        else:
            getattr(wire, leaving)()
        assert behind.reply().status == 200
    expect_quiet(server)


@pytest.mark.parametrize("leaving", LEAVING)
def test_a_client_that_leaves_while_an_endpoint_answers_gives_its_place_back(gateway, upstream, leaving):
    entered = threading.Event()

    def script(peer):
        while peer.head().target != "/held":
            peer.send(answer())
        entered.set()
        peer.wait_for_end()

    endpoint = upstream(script)
    server = gateway(endpoint, **ONE_PLACE)
    for _ in range(3):
        entered.clear()
        with server.connect() as wire, server.connect() as behind:
            wire.send(request("/held"))
            eventually(entered.is_set, "the endpoint is asked")
            behind.send(request("/other"))
            wait_for_pool(server, executing=1, queued=1)
            getattr(wire, leaving)()
            assert behind.reply().status == 200
    expect_quiet(server)


def test_a_deadline_that_passes_at_an_endpoint_gives_the_place_to_the_next(gateway, upstream):
    def script(peer):
        while peer.head().target != "/never":
            peer.send(answer())
        peer.wait_for_end()

    server = gateway(upstream(script), **ONE_PLACE, WEIR_DEADLINE="500ms")
    with server.connect() as wire, server.connect() as behind:
        wire.send(request("/never"))
        wait_for_pool(server, executing=1)
        assert wire.reply().status == 504
        assert behind.get("/other").status == 200
    expect_quiet(server)
    assert rejected(server, "deadline_exceeded") == 1


def test_a_tunnel_leaves_the_pool(gateway, upstream):
    def script(peer):
        while not peer.head().header("upgrade"):
            peer.send(answer())
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        peer.send(peer.take(4))
        peer.wait_for_end()

    server = gateway(upstream(script), **ONE_PLACE, WEIR_QUEUE=0)
    with server.connect() as tunnel, server.connect() as wire:
        tunnel.send(request("/tunnel", headers=["Connection: upgrade", "Upgrade: echo"]))
        assert tunnel.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        wait_for_pool(server, executing=0)
        assert server.metric("weir_tunnels_active") == 1
        assert wire.get("/other").status == 200
        tunnel.send(b"ping")
        assert tunnel.read_until(b"ping") == b"ping"
    wait_for_pool(server, executing=0, queued=0)
    eventually(lambda: server.metric("weir_tunnels_active") == 0, "the tunnel has ended")
    expect_quiet(server)


def test_a_response_that_flows_beyond_its_deadline_leaves_the_pool(serve):
    server = serve(**ONE_PLACE, WEIR_DEADLINE="400ms")
    holder = Holder(server)
    wait_for_pool(server, executing=0)
    assert server.metric("weir_streams_active") == 1
    with server.connect() as wire:
        assert wire.get("/async").status == 200
    holder.end()
    expect_quiet(server)


def test_overload_is_answered_at_once_and_the_pod_stays_ready(serve):
    server = serve(**ONE_PLACE, WEIR_QUEUE=2, WEIR_ACCESS_LOG="stdout", stdout=subprocess.PIPE)
    holder = Holder(server)
    waiting = [server.connect() for _ in range(2)]
    for wire in waiting:
        wire.send(request())
    wait_for_pool(server, executing=1, queued=2)
    for _ in range(200):
        with server.connect() as wire:
            reply = wire.get(headers=["X-Request-Id: mine"])
            assert reply.status == 503
            assert 1 <= int(reply.header("retry-after")) <= 60
            problem = json.loads(reply.body)
            assert (problem["reason"], problem["request_id"], problem["status"]) == ("queue_full", "mine", 503)
            if reply.closes:
                wire.expect_end()
    assert server.ask_admin("/readyz")[0] == 200
    assert server.ask_admin("/livez")[0] == 200
    assert rejected(server, "queue_full") == 200
    assert pool(server, "requests_queued_peak") == 2
    holder.end()
    for wire in waiting:
        assert wire.reply().status == 200
        wire.close()
    expect_quiet(server)
    server.signal()
    lines = [json.loads(line) for line in server.process.stdout.read().splitlines()]
    assert sum(line.get("reason") == "queue_full" for line in lines) == 200
    server.process.stdout.close()


def test_a_share_of_the_refusals_ends_its_connection(serve):
    server = serve(**ONE_PLACE, WEIR_QUEUE=0, WEIR_KEEPALIVE_REQUESTS=100_000)
    holder = Holder(server)
    closes = 0
    began = time.monotonic()
    wire = server.connect()
    for _ in range(6_000):
        reply = wire.get()
        assert reply.status == 503
        if reply.closes:
            closes += 1
            wire.expect_end()
            wire.close()
            wire = server.connect()
    # 94 draws of 1 in 64 are expected; one loop ends at most 20 a second.
    assert 2 <= closes <= 150
    assert closes <= 1 + 20 * (time.monotonic() - began)
    wire.close()
    holder.end()
    expect_quiet(server)


def test_all_that_were_accepted_are_answered_in_a_drain(serve):
    server = serve(**ONE_PLACE, WEIR_QUEUE=5, WEIR_DRAIN_TIMEOUT="10s")
    holder = Holder(server)
    waiting = [server.connect() for _ in range(5)]
    for wire in waiting:
        wire.send(request("/async"))
    wait_for_pool(server, executing=1, queued=5)
    server.signal(signal.SIGTERM)
    server.wait_for_line("drain")
    holder.end()
    for wire in waiting:
        reply = wire.reply()
        assert (reply.status, reply.closes) == (200, True)
        wire.expect_end()
        wire.close()
    assert server.wait() == 0


@pytest.mark.parametrize(
    "trusted, asks, served", [("", "critical", False), ("loopback", "critical", True), ("loopback", "Sheddable", False)]
)
def test_a_trusted_proxy_may_raise_a_class(serve, trusted, asks, served):
    server = serve(**ONE_PLACE, WEIR_QUEUE=1, WEIR_PRIORITY_HEADER="X-Class", WEIR_TRUSTED_PROXIES=trusted)
    holder = Holder(server)
    with server.connect() as first, server.connect() as second:
        first.send(request())
        wait_for_pool(server, executing=1, queued=1)
        second.send(request(headers=[f"X-Class: {asks}"]))
        loser, winner = (first, second) if served else (second, first)
        assert loser.reply().status == 503
        holder.end()
        assert winner.reply().status == 200
    expect_quiet(server)
    assert rejected(server, "queue_full") == 1
    assert pool(server, "queue_displaced_total") == (1 if served else 0)


def test_two_loops_lose_no_place_under_clients_that_come_and_go(serve):
    server = serve(WEIR_CONCURRENCY=2, WEIR_LOOPS=2, WEIR_QUEUE=50)
    stop = threading.Event()
    answered = [0] * 8

    def client(number):
        turn = 0
        while not stop.is_set():
            turn += 1
            with server.connect() as wire:
                target = ["/async", "/blocking", "/sleep?ms=1", "/hello"][(turn + number) % 4]
                wire.send(request(target) + (request() if turn % 5 == 0 else b""))
                if turn % 3 == 0:
                    wire.reset()
                elif turn % 3 == 1:
                    assert wire.reply().status in (200, 503)
                    answered[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(answered))]
    for thread in threads:
        thread.start()
    eventually(lambda: min(answered) >= 100, "each client has had its answers", seconds=60)
    stop.set()
    for thread in threads:
        thread.join()
    expect_quiet(server)
    with server.connect() as wire:
        assert wire.get("/async").status == 200


def test_the_limit_and_the_queue_are_what_the_settings_say(serve):
    server = serve(WEIR_CONCURRENCY=7)
    assert (pool(server, "concurrency_limit"), pool(server, "queue_limit")) == (7, 28)
    server = serve(WEIR_CONCURRENCY="3/cpu", WEIR_QUEUE=0)
    assert pool(server, "concurrency_limit") % 3 == 0
    assert pool(server, "queue_limit") == 0


def test_a_limit_that_is_found_has_the_queue_follow_it(serve):
    server = serve(WEIR_CONCURRENCY="auto", WEIR_LOOPS=1)
    cpus = pool(server, "concurrency_limit")
    assert pool(server, "queue_limit") == 16 * cpus
    stop = threading.Event()

    def client():
        with server.connect() as wire:
            while not stop.is_set():
                assert wire.get("/sleep?ms=5").status in (200, 503)

    def follows():
        # Both of one scrape: the limit may move between two.
        metrics = server.metrics()
        limit, queue = (metrics[f'weir_{name}_limit{{pool="pod"}}'] for name in ("concurrency", "queue"))
        return limit > 4 * cpus and queue == 4 * limit

    threads = [threading.Thread(target=client) for _ in range(32)]
    for thread in threads:
        thread.start()
    try:
        eventually(follows, "the queue is four times the limit that was found", seconds=60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_queue_that_is_given_stays_beside_a_limit_that_is_found(serve):
    server = serve(WEIR_CONCURRENCY="auto", WEIR_QUEUE=7)
    assert pool(server, "queue_limit") == 7


@pytest.mark.parametrize("where", ["waiting", "running"])
def test_a_queue_whose_clients_give_up_serves_the_newest_until_it_is_empty(serve, where):
    server = serve(**ONE_PLACE, WEIR_QUEUE=20)
    with server.connect() as wire:
        # So that an execution is known to be short.
        wire.send(request("/hello"))
        assert wire.reply().status == 200
    holder = Holder(server)
    gone, older, newest, *others = (server.connect() for _ in range(18))
    gone.send(request("/sleep?ms=60000"))
    wait_for_pool(server, queued=1)
    older.send(request("/hello"))
    wait_for_pool(server, queued=2)
    for wire in others:
        wire.send(request("/hello"))
    wait_for_pool(server, queued=17)
    newest.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"2\r\nho\r\n"))
    wait_for_pool(server, queued=18)
    # Fifteen of 32 are one too few.
    for wire in others:
        wire.close()
    wait_for_pool(server, executing=1, queued=3)
    assert pool(server, "queue_newest_first") == 0
    if where == "running":
        holder.end()
        wait_for_pool(server, executing=1, queued=2)
        assert pool(server, "queue_newest_first") == 0
        gone.close()
    else:
        gone.close()
        wait_for_pool(server, executing=1, queued=2)
        assert pool(server, "queue_newest_first") == 1
        holder.end()
    newest.read_until(b"\r\n\r\n2\r\nho\r\n")
    wait_for_pool(server, executing=1, queued=1)
    assert pool(server, "queue_newest_first") == 1
    newest.send(b"0\r\n\r\n")
    assert newest.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
    assert older.reply().status == 200
    for wire in (older, newest):
        wire.close()
    expect_quiet(server)
    assert pool(server, "queue_newest_first") == 0
