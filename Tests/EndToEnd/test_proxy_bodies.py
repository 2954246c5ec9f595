# SPDX-License-Identifier: Apache-2.0
# Bodies through the gateway, in both directions and at once: framing, trailers, interim responses, early answers.

import threading
import time

import pytest

from polling import eventually
from upstream import answer, repeating, replying
from wire import request


def chunked(*pieces, trailers=b""):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


CHUNKED = ["Transfer-Encoding: chunked"]

# Requests


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 5_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_requests_body_arrives_whole(upstream, gateway, size, is_chunked):
    endpoint = upstream()
    body = bytes(index * 7 & 255 for index in range(min(size, 4096))) * (size // 4096 + 1)
    body = body[:size]
    with gateway(endpoint).connect() as wire:
        for _ in range(2):
            if is_chunked:
                pieces = [body[index : index + 100_000] for index in range(0, size, 100_000)]
                wire.send(request("/", "POST", CHUNKED, chunked(*pieces)))
            else:
                wire.send(request("/", "POST", [f"Content-Length: {size}"], body))
            assert wire.reply().status == 200
    first, second = endpoint.requests
    assert first.body == second.body == body
    assert len(endpoint.connections) == 1
    if is_chunked:
        assert first.header("transfer-encoding") == "chunked" and first.header("content-length") is None
    else:
        assert first.header("content-length") == str(size) and first.header("transfer-encoding") is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "PROPFIND"])
def test_methods_that_seldom_have_a_body_may_have_one(upstream, gateway, method):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", method, ["Content-Length: 5"], b"hello"))
        assert wire.reply().status == 200
    assert endpoint.requests[0].body == b"hello"


def test_a_requests_trailers_go_on(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        trailers = b"X-Sum: abc\r\nX-More: def\r\n"
        wire.send(request("/", "POST", [*CHUNKED, "Trailer: X-Sum"], chunked(b"hello", trailers=trailers)))
        assert wire.reply().status == 200
    (seen,) = endpoint.requests
    assert (seen.body, seen.trailers) == (b"hello", [("X-Sum", "abc"), ("X-More", "def")])
    assert seen.header("trailer") == "X-Sum"


def test_a_body_goes_on_before_it_is_whole(upstream, gateway):
    got, more = threading.Event(), []

    def script(peer):
        peer.head()
        more.append(peer.take_until(b"hello\r\n"))
        got.set()
        more.append(peer.take_until(b"0\r\n\r\n"))
        peer.send(answer())

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", "POST", CHUNKED, b"5\r\nhello\r\n"))
        assert got.wait(10)
        wire.send(b"5\r\nworld\r\n0\r\n\r\n")
        assert wire.reply().status == 200
    assert more == [b"5\r\nhello\r\n", b"5\r\nworld\r\n0\r\n\r\n"]


def test_extensions_of_chunks_end_here(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", "POST", CHUNKED, b'5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n'))
        assert wire.reply().status == 200
    assert endpoint.requests[0].body == b"hello"


# Interim responses


def test_a_client_that_waits_for_100_gets_the_endpoints(upstream, gateway):
    def script(peer):
        seen = peer.head()
        assert seen.header("expect") == "100-continue" and peer.rest == b""
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.body(seen)
        peer.send(answer())

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", "POST", ["Expect: 100-continue", "Content-Length: 5"]))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(b"hello")
        assert wire.reply().status == 200
    assert endpoint.requests[0].body == b"hello"


def test_a_client_that_did_not_wait_gets_no_100(upstream, gateway):
    endpoint = upstream(replying(b"HTTP/1.1 100 Continue\r\n\r\n" + answer()))
    with gateway(endpoint).connect() as wire:
        reply = wire.get("/", method="GET")
        assert (reply.status, reply.informational) == (200, [])


def test_after_a_final_answer_instead_of_100_nothing_can_be_mistaken(upstream, gateway):
    """A client that was refused sends no body, and its next request must not be taken for one: so the connection ends."""

    def script(peer):
        peer.head()
        peer.send(answer(b"no", "417 Expectation Failed"))
        peer.wait_for_end()

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", "POST", ["Expect: 100-continue", "Content-Length: 5"]))
        reply = wire.reply()
        assert (reply.status, reply.body, reply.closes) == (417, b"no", True)
        wire.expect_end()


def test_interim_responses_are_passed_on(upstream, gateway):
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    endpoint = upstream(repeating(interim + answer()))
    with gateway(endpoint).connect() as wire:
        for _ in range(2):
            reply = wire.get()
            assert (reply.status, reply.body, reply.informational) == (200, b"ok", [103, 102])
        wire.send(request())
        assert b"\r\nLink: </a>; rel=preload\r\n" in wire.read_until(b"\r\n\r\n")


def test_an_interim_response_is_passed_on_before_the_final_one_is_there(upstream, gateway):
    go = threading.Event()

    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        peer.wait(go)
        peer.send(answer())

    with gateway(upstream(script)).connect() as wire:
        wire.send(request())
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 103 ")
        go.set()
        assert wire.reply().status == 200


def test_an_http_1_0_client_gets_no_interim_response(upstream, gateway):
    endpoint = upstream(repeating(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer()))
    with gateway(endpoint).connect() as wire:
        reply = wire.get(version="1.0")
        assert (reply.status, reply.informational) == (200, [])


def test_interim_responses_without_end_do_not_pile_up(upstream, gateway):
    """To a client that reads none of them they are held back as bodies are, and the deadline ends it."""
    sent = []

    def script(peer):
        peer.request()
        while True:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" * 1000)
            sent.append(1000)

    endpoint = upstream(script)
    server = gateway(endpoint, WEIR_DEADLINE="1s")
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request())
        eventually(lambda: sent, "the first have come")
        peak = 0
        while not endpoint.ends[0]:
            peak = max(peak, server.metric("weir_buffer_bytes"))
        assert peak < 1 << 20


# Responses

RESPONSES = {
    "length": (answer(b"hello world"), [], []),
    "no body": (answer(b""), [], []),
    "chunked": (answer(chunked(b"hello", b" ", b"world"), headers=CHUNKED, length=False), [], []),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nhello world", [], []),
    "trailers": (
        answer(chunked(b"hello world", trailers=b"X-Sum: abc\r\n"), headers=[*CHUNKED, "Trailer: X-Sum"], length=False),
        [(b"x-sum", b"abc")],
        ["X-Sum"],
    ),
}


@pytest.mark.parametrize("is_bytewise", [False, True])
@pytest.mark.parametrize("name", RESPONSES)
def test_every_framing_of_a_response_arrives_whole(upstream, gateway, name, is_bytewise):
    data, trailers, announced = RESPONSES[name]

    def script(peer):
        while True:
            peer.request()
            (peer.send_bytewise if is_bytewise else peer.send)(data)
            if name == "until the end":
                return

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            reply = wire.get()
            assert (reply.status, reply.closes) == (200, False)
            assert reply.body == (b"" if name == "no body" else b"hello world")
            assert (reply.trailers, reply.values("trailer")) == (trailers, announced)
    assert len(endpoint.connections) == (3 if name == "until the end" else 1)


@pytest.mark.parametrize("name", RESPONSES)
def test_an_http_1_0_client_gets_no_chunks(upstream, gateway, name):
    data, _, _ = RESPONSES[name]
    endpoint = upstream(replying(data))
    with gateway(endpoint).connect() as wire:
        reply = wire.get(version="1.0", headers=["Connection: keep-alive"])
        assert reply.header("transfer-encoding") is None
        assert reply.body == (b"" if name == "no body" else b"hello world")
        assert reply.closes == (name not in ("length", "no body"))


@pytest.mark.parametrize("size", [65_536, 1_000_003, 20_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "until the end"])
def test_a_long_response_arrives_whole(upstream, gateway, size, framing):
    body = (bytes(range(251)) * (size // 251 + 1))[:size]

    def script(peer):
        peer.request()
        if framing == "chunked":
            pieces = [body[index : index + 70_001] for index in range(0, size, 70_001)]
            peer.send(answer(chunked(*pieces), headers=CHUNKED, length=False))
        else:
            peer.send(answer(body, length=framing == "length"))

    with gateway(upstream(script)).connect() as wire:
        assert wire.get().body == body


def test_a_response_flows_before_it_is_whole(upstream, gateway):
    go = [threading.Event() for _ in range(3)]

    def script(peer):
        peer.request()
        peer.send(answer(b"", headers=CHUNKED, length=False))
        for index, event in enumerate(go):
            peer.wait(event)
            peer.send(b"5\r\ntick%d\r\n" % index)
        peer.send(b"0\r\n\r\n")

    with gateway(upstream(script)).connect() as wire:
        wire.send(request())
        wire.read_until(b"\r\n\r\n")
        for index, event in enumerate(go):
            event.set()
            wire.read_until(b"tick%d\r\n" % index)
        wire.read_until(b"0\r\n\r\n")


def test_both_bodies_flow_at_once(upstream, gateway):
    def script(peer):
        seen = peer.head()
        peer.send(answer(b"", headers=CHUNKED, length=False))
        while size := int(peer.take_until(b"\r\n"), 16):
            piece = peer.take(size)
            peer.take(2)
            peer.send(b"%x\r\n%b\r\n" % (size, piece.upper()))
        peer.take(2)
        peer.send(b"0\r\n\r\n")
        assert seen.method == "POST"

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", "POST", CHUNKED))
        wire.read_until(b"\r\n\r\n")
        for word in (b"one", b"two", b"three"):
            wire.send(b"%x\r\n%b\r\n" % (len(word), word))
            wire.read_until(word.upper() + b"\r\n")
        wire.send(b"0\r\n\r\n")
        wire.read_until(b"0\r\n\r\n")


def test_an_early_answer_arrives_though_the_body_is_not_over(upstream, gateway):
    def script(peer):
        peer.head()
        peer.send(answer(b"too much", "413 Content Too Large"))
        # The endpoint reads no more, and does not close.
        peer.upstream.release.wait(10)

    endpoint = upstream(script)
    endpoint.release = threading.Event()
    with gateway(endpoint).connect() as wire:
        wire.send(request("/", "POST", ["Content-Length: 1000"], b"x" * 10))
        reply = wire.reply()
        assert (reply.status, reply.body) == (413, b"too much"), reply.body
        if not reply.closes:
            # What still comes of the body is no request.
            wire.send(b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n".ljust(990, b"x"))
            endpoint.script = repeating(answer())
            assert wire.get("/next").status == 200
    endpoint.release.set()
    assert "/smuggled" not in endpoint.targets


@pytest.mark.parametrize("left, closes", [(256 << 10, False), ((256 << 10) + 1, True)])
@pytest.mark.parametrize("status, body", [("413 Content Too Large", b"too much"), ("503 Busy", b""), ("204 No Content", None)])
def test_an_early_answer_says_whether_the_connection_goes_on(upstream, gateway, left, closes, status, body):
    def script(peer):
        peer.head()
        peer.take(10)
        peer.send(answer(body or b"", status, length=body is not None))
        peer.wait_for_end()

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", "POST", [f"Content-Length: {10 + left}"], b"x" * 10))
        reply = wire.reply("POST")
        assert (str(reply.status), reply.body, reply.closes) == (status[:3], body or b"", closes)
        if closes:
            wire.expect_end()


@pytest.mark.parametrize("size", [1 << 20, 30 << 20])
def test_an_early_answer_to_a_long_body_arrives(upstream, gateway, size):
    """The client that goes on sending still gets the answer, not a reset."""

    def script(peer):
        peer.head()
        peer.send(answer(b"too much", "413 Content Too Large", ["Connection: close"]))

    with gateway(upstream(script)).connect() as wire:
        wire.send(request("/", "POST", [f"Content-Length: {size}"]))
        sent = threading.Event()

        def send():
            try:
                for _ in range(size >> 16):
                    wire.send(b"x" * 65536)
            except OSError:
                pass
            sent.set()

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        reply = wire.reply()
        assert (reply.status, reply.body) == (413, b"too much"), reply.body
    assert sent.wait(10)


def test_an_endpoint_that_answered_early_gets_no_other_request_on_that_connection(upstream, gateway):
    def script(peer):
        seen = peer.head()
        peer.send(answer())
        if seen.method == "GET":
            while True:
                peer.request()
                peer.send(answer())
        peer.wait_for_end()

    endpoint = upstream(script)
    server = gateway(endpoint)
    with server.connect() as wire, server.connect() as other:
        wire.send(request("/", "POST", ["Content-Length: 10"], b"x"))
        assert wire.reply().status == 200
        for _ in range(3):
            assert other.get("/other").status == 200
    endpoint.wait_for_end(0)
    assert [seen.connection for seen in endpoint.requests] == [0, 1, 1, 1]


def test_pipelined_requests_keep_their_order(upstream, gateway):
    def script(peer):
        while True:
            seen = peer.request()
            # The first are the slowest.
            time.sleep(0.05 if seen.target in ("/0", "/1") else 0)
            peer.send(answer(seen.target.encode() + b":" + seen.body))

    with gateway(upstream(script), upstream(script), WEIR_LOOPS=2).connect() as wire:
        wire.send(b"".join(request(f"/{index}", "POST", ["Content-Length: 2"], b"%02d" % index) for index in range(30)))
        for index in range(30):
            assert wire.reply().body == b"/%d:%02d" % (index, index)


def test_bytes_behind_a_request_are_the_next_request(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        wire.send(request("/a", "POST", CHUNKED, chunked(b"hello")) + request("/b") + request("/c", "HEAD") + request("/d"))
        assert [wire.reply(method).status for method in ("POST", "GET", "HEAD", "GET")] == [200] * 4
    assert endpoint.targets == ["/a", "/b", "/c", "/d"]
