# SPDX-License-Identifier: Apache-2.0
# An endpoint as an attacker: what it sends costs one request, or the part of one that it has answered, and never the
# gateway, another request, or another client's answer. The forms of broken responses are in test_proxy_failures.py.

import threading

import pytest

from control import page, start, wait_for_health
from polling import eventually
from upstream import answer, repeating
from wire import request

CHECK = {"http": "/healthz", "interval": "1s", "timeout": "500ms"}
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def resident_bytes(server):
    return server.metric("process_resident_memory_bytes")


def flooding(beginning, piece, written):
    """A script that begins a response and then goes on with the same piece until it is cut off."""

    def script(peer):
        peer.request()
        peer.send(beginning)
        while True:
            peer.send(piece)
            written.append(len(piece))

    return script


# What has no end where an end is due.
ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"O" * 4096),
    "a field name": (HEAD, b"X" * 4096),
    "a field value": (HEAD + b"X-Long: ", b"v" * 4096),
    "fields": (HEAD, b"X-More: value\r\n" * 300),
    "Set-Cookie": (HEAD, b"Set-Cookie: a=b; Path=/\r\n" * 200),
    "the size of a chunk": (CHUNKED, b"0" * 4096),
    "a chunk's extension": (CHUNKED + b"5;a=", b"e" * 4096),
    "trailers": (CHUNKED + b"0\r\n", b"X-Sum: abc\r\n" * 300),
    "a trailer": (CHUNKED + b"0\r\nX-Sum: ", b"a" * 4096),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_cut_off(upstream, gateway, what):
    written = []
    endpoint = upstream(flooding(*ENDLESS[what], written))
    server = gateway(endpoint)
    before = resident_bytes(server)
    with server.connect() as wire:
        wire.send(request(headers=["Connection: close"]))
        answered = wire.read_to_end()
    # Told what became of it, or broken off; in no case does a part look whole.
    assert answered.startswith(b"HTTP/1.1 502 ") or not answered.endswith(b"0\r\n\r\n")
    if ENDLESS[what][0] is not CHUNKED and not ENDLESS[what][0].startswith(CHUNKED):
        assert b'"reason":"upstream_malformed"' in answered
    endpoint.wait_for_end()
    # What fits into the sockets between them, and not more.
    assert sum(written) < 16 << 20
    assert resident_bytes(server) - before < 8 << 20
    assert server.ask_admin("/livez")[0] == 200


def test_a_length_of_nearly_2_to_the_63_is_a_number_like_others(upstream, gateway):
    """Nothing is set aside for what an endpoint announces."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n"

    def script(peer):
        peer.request()
        peer.send(head + b"x" * 100)

    server = gateway(upstream(script))
    before = resident_bytes(server)
    with server.connect() as wire:
        wire.send(request())
        assert wire.read_to_end().endswith(b"x" * 100)
    assert resident_bytes(server) - before < 8 << 20


@pytest.mark.parametrize("size", [b"7FFFFFFFFFFFFFFF", b"FFFFFFFFFFFFFFFF", b"8000000000000000"])
def test_the_largest_sizes_of_chunks_end_nothing_but_their_response(upstream, gateway, size):
    def script(peer):
        peer.request()
        peer.send(CHUNKED + size + b"\r\n" + b"x" * 100)

    server = gateway(upstream(script))
    with server.connect() as wire:
        wire.send(request(headers=["Connection: close"]))
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")
    assert server.ask_admin("/livez")[0] == 200


@pytest.mark.parametrize("value", ["0", "1", "86400", "99999999999999999999999", "-1", "soon", ""])
def test_a_retry_after_of_any_length_is_a_number_like_others(upstream, gateway, value):
    endpoint = upstream(repeating(answer(b"no", "503 No", [f"Retry-After: {value}"])))
    server = gateway(endpoint)
    with server.connect() as wire:
        assert wire.get().status == 503
    assert server.ask_admin("/livez")[0] == 200


def test_an_endpoint_cannot_frame_or_split_what_its_client_reads(upstream, gateway):
    """Fields for one connection end here, whatever Connection says; a line end within a value is a 502."""
    fields = [
        "Connection: close, X-Named, Content-Length, Date",
        "X-Named: no",
        "Keep-Alive: timeout=9999",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        "X-Kept: yes",
    ]
    server = gateway(upstream(repeating(answer(b"hello", headers=fields))))
    with server.connect() as wire:
        for _ in range(2):
            reply = wire.get()
            names = [name for name, _ in reply.headers]
            assert (reply.status, reply.body) == (200, b"hello")
            assert names.count(b"content-length") == 1 and b"x-kept" in names
            assert not {b"x-named", b"keep-alive", b"proxy-authenticate", b"upgrade"} & set(names)
    for line in [b"X-A: b\rSet-Cookie: c=d", b"X-A: b\nSet-Cookie: c=d", b"X-A: b\0c", b"X-A\r\n b: c"]:
        split = HEAD + line + b"\r\nContent-Length: 0\r\n\r\n"
        with gateway(upstream(repeating(split))).connect() as wire:
            reply = wire.get()
            assert (reply.status, reply.header("set-cookie")) == (502, None)


def test_an_endpoint_that_goes_wrong_harms_no_other_client(upstream, gateway):
    """Two clients on one loop: one is answered with what has no end, the other as ever."""
    stop, written = threading.Event(), []

    def script(peer):
        while True:
            asked = peer.request()
            if asked.target == "/good":
                peer.send(answer(b"good"))
                continue
            peer.send(CHUNKED)
            while not stop.is_set():
                peer.send(b"1\r\nx\r\n" * 10_000)
                written.append(1)
            return

    server = gateway(upstream(script), WEIR_LOOPS=1)
    with server.connect(receive_buffer=4096) as bad, server.connect() as good:
        bad.send(request("/bad"))
        eventually(lambda: written, "it floods")
        for _ in range(50):
            assert good.get("/good").body == b"good"
        stop.set()
        bad.close()


@pytest.mark.parametrize("log", ["json", "text"])
def test_what_an_endpoint_says_to_a_check_is_bounded_and_stays_in_its_place(upstream, gateway, tmp_path, log):
    forged = b'\n{"level":"error","message":"forged"}\r\n\x1b[2J' + b"x" * 20_000

    def script(peer):
        while True:
            peer.request()
            peer.send(answer(forged, "500 No"))

    settings = {"WEIR_LOG_FORMAT": log}
    server = start(gateway, tmp_path, {"endpoints": [upstream(script).url], "check": CHECK}, **settings)
    wait_for_health(server, "critical")
    (shown,) = page(server)["endpoints"]
    assert 4096 <= len(shown["check"]) < 5000
    assert server.ask_admin("/metrics")[1].count("forged") == 0
    for line in server.log:
        assert line.isprintable() and not line.startswith('{"level":"error"')


def test_an_answer_to_a_check_that_has_no_end_is_cut_off(upstream, gateway, tmp_path):
    written = []
    endpoint = upstream(flooding(HEAD + b"\r\n", b"x" * 65536, written))
    server = start(gateway, tmp_path, {"endpoints": [endpoint.url], "check": CHECK})
    before = resident_bytes(server)
    eventually(lambda: endpoint.ends, "it is cut off")
    assert resident_bytes(server) - before < 8 << 20
    assert server.ask_admin("/livez")[0] == 200
