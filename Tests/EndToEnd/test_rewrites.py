# SPDX-License-Identifier: Apache-2.0
# What routes of the file change of the messages that pass: header fields, path and host; and redirects.

import types
import urllib.parse

import pytest

from upstream import answer, repeating
from wire import request

# An endpoint that nobody asks.
FREE = types.SimpleNamespace(url="http://127.0.0.1:9")


# Header fields

REQUEST_EDITS = "{set: {x-team: shop, X-Forwarded-Proto: https}, add: {x-hop: weir}, remove: [Cookie, x-debug, via]}"
RESPONSE_EDITS = (
    "{set: {strict-transport-security: max-age=60, cache-control: no-store}, add: {vary: x-team}, remove: [Server, x-inner]}"
)


@pytest.fixture
def edited(routed, upstream):
    """A gateway that edits both ways, and the endpoint behind it."""

    def start(script=None, fields="", **settings):
        endpoint = upstream(script or repeating(answer(headers=["Server: theirs", "X-Inner: 1", "x-inner: 2", "Vary: a"])))
        routes = [f"  - {{upstream: a, headers: {{request: {REQUEST_EDITS}, response: {RESPONSE_EDITS}}}{fields}}}"]
        return routed(routes, {"a": endpoint}, **settings), endpoint

    return start


def has_the_edits(reply):
    assert reply.header("strict-transport-security") == "max-age=60"
    assert reply.header("cache-control") == "no-store"
    assert reply.values("vary")[-1] == "x-team"
    return reply.header("server") is None and reply.header("x-inner") is None


def test_request_fields_are_removed_set_and_added(edited):
    server, endpoint = edited()
    lines = ["Cookie: a=b", "x-Debug: 1", "X-DEBUG: 2", "X-Team: mine", "x-hop: theirs", "X-Other: kept"]
    with server.connect() as wire:
        assert wire.get("/", headers=lines).status == 200
    (seen,) = endpoint.requests
    assert (seen.header("cookie"), seen.header("x-debug"), seen.header("via")) == (None, None, None)
    assert (seen.header("x-team"), seen.header("x-other"), seen.header("x-forwarded-proto")) == ("shop", "kept", "https")
    assert seen.values("x-hop") == ["theirs", "weir"]
    assert seen.header("host") == "test" and seen.header("x-request-id")


def test_a_look_alike_of_an_edited_field_does_not_go_on(edited):
    server, endpoint = edited()
    with server.connect() as wire:
        assert wire.get("/", headers=["X_Team: admin", "x_debug: 1", "x_other: kept"]).status == 200
    (seen,) = endpoint.requests
    assert (seen.values("x-team"), seen.header("x_team"), seen.header("x_debug")) == (["shop"], None, None)
    assert seen.header("x_other") == "kept"


def test_trailers_lose_the_fields_that_are_removed_or_set(edited):
    trailers = b"0\r\nx-debug: 1\r\nX_Team: admin\r\nx-sum: 1\r\nx-inner: 1\r\nCache-Control: max-age=1\r\n\r\n"
    chunked = answer(b"3\r\nabc\r\n" + trailers, headers=["Transfer-Encoding: chunked"], length=False)
    server, endpoint = edited(repeating(chunked))
    with server.connect() as wire:
        wire.send(request("/", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n" + trailers))
        received = wire.read_until(b"\r\n0\r\n") + wire.read_until(b"\r\n\r\n")
    (seen,) = endpoint.requests
    assert seen.trailers == [("x-sum", "1"), ("x-inner", "1"), ("Cache-Control", "max-age=1")]
    assert received.endswith(b"\r\n0\r\nx-debug: 1\r\nX_Team: admin\r\nx-sum: 1\r\n\r\n")


def test_interim_responses_lose_fields_and_get_none(edited):
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX_Inner: 1\r\nCache-Control: max-age=1\r\n\r\n" + answer())

    server, _ = edited(script)
    with server.connect() as wire:
        wire.send(request("/"))
        head = wire.read_until(b"\r\n\r\n")
        assert head == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        assert has_the_edits(wire.reply())


def test_response_fields_are_removed_set_and_added(edited):
    server, _ = edited()
    with server.connect() as wire:
        for _ in range(2):
            reply = wire.get("/")
            assert (reply.status, reply.body, has_the_edits(reply)) == (200, b"ok", True)
            assert reply.values("vary") == ["a", "x-team"]


@pytest.mark.parametrize("body", [b"", b"5\r\nhello\r\n0\r\n\r\n"])
def test_framing_stays_as_it_is(edited, body):
    chunked = answer(b"3\r\nabc\r\n0\r\n\r\n", headers=["Transfer-Encoding: chunked"], length=False)
    server, endpoint = edited(repeating(chunked if body else answer(b"abc")))
    lines = ["Transfer-Encoding: chunked"] if body else ["Content-Length: 0"]
    with server.connect() as wire:
        wire.send(request("/", "POST", lines, body) * 2)
        assert [wire.reply().body for _ in range(2)] == [b"abc"] * 2
    assert [seen.body for seen in endpoint.requests] == [b"hello" if body else b""] * 2


def test_refusals_of_the_route_have_the_response_s_fields(edited):
    server, _ = edited(fields=", limit: 1/h", WEIR_RATE_LIMIT_FIELDS="on")
    with server.connect() as wire:
        assert wire.get("/").status == 200
        reply = wire.get("/")
    assert (reply.status, has_the_edits(reply)) == (429, True)
    assert int(reply.header("retry-after")) > 0


def test_answers_for_an_endpoint_that_fails_have_them_too(edited):
    server, _ = edited(lambda peer: peer.head())
    with server.connect() as wire:
        wire.send(request("/", "POST", ["Content-Length: 0"]))
        reply = wire.reply()
    assert (reply.status, has_the_edits(reply)) == (502, True)


def test_a_tunnel_s_head_has_them(edited):
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\nServer: x\r\n\r\n")
        assert peer.take(3) == b"abc"
        peer.send(b"def")
        peer.end()

    server, _ = edited(script)
    with server.connect() as wire:
        wire.send(request("/", headers=["Connection: upgrade", "Upgrade: test"]))
        head = wire.read_until(b"\r\n\r\n").lower()
        assert b"strict-transport-security: max-age=60\r\n" in head and b"server:" not in head
        assert b"connection: upgrade\r\n" in head and b"upgrade: test\r\n" in head
        wire.send(b"abc")
        assert wire.read_to_end().endswith(b"def")


def test_a_redirect_has_them_and_other_routes_do_not(routed, upstream):
    routes = [
        "  - {match: {path: /old}, redirect: {to: /new}, headers: {response: {set: {cache-control: max-age=60}}}}",
        "  - {upstream: a}",
    ]
    with routed(routes, {"a": upstream()}).connect() as wire:
        reply = wire.get("/old")
        assert (reply.status, reply.header("location"), reply.header("cache-control")) == (308, "/new", "max-age=60")
        assert wire.get("/").header("cache-control") is None


# Path and host

@pytest.mark.parametrize("path, rewrite, target, seen", [
    ("/v1/*rest", "{prefix: /}", "/v1/orders/7?a=/v1/", "/orders/7?a=/v1/"),
    ("/v1/*rest", "{prefix: /}", "/v1/", "/"),
    ("/v1/*rest", "{prefix: /}", "/v1//evil.test/x?y", "/evil.test/x?y"),
    ("/*rest", "{host: a}", "//evil.test//x", "//evil.test//x"),
    ("/v1/*rest", "{prefix: /api/v2/}", "/v1/a%2Cb/%C3%A9?x=%20", "/api/v2/a%2Cb/%C3%A9?x=%20"),
    # The route is that of the path without dot segments, and so is what goes on.
    ("/v1/*rest", "{prefix: /}", "/x/../v1/./a/../%2e/b", "/b"),
    ("/v1/*rest", "{prefix: /in/}", "/%761/%2e%2e%2fa", None),
    ("/v1/*rest", "{prefix: /in/}", "/v1/../../secret", None),
    ("/users/:id/orders/:order", "{path: /orders/:order/of/:id}", "/users/a%20b/orders/7?", "/orders/7/of/a%20b?"),
    ("/old", "{path: /new}", "/old?a=b&a=c", "/new?a=b&a=c"),
    ("/*path", "{path: /fixed}", "http://test", "/fixed"),
])
def test_the_path_is_another_and_the_query_the_same(routed, upstream, path, rewrite, target, seen):
    endpoint = upstream()
    with routed([f"  - {{match: {{path: {path}}}, upstream: a, rewrite: {rewrite}}}"], {"a": endpoint}).connect() as wire:
        assert [wire.get(target).status for _ in range(2)] == ([200, 200] if seen else [400, 400])
    assert endpoint.targets == ([seen] * 2 if seen else [])


def test_each_path_of_a_route_has_its_own_segments(routed, upstream):
    endpoint = upstream()
    routes = ["  - {match: {path: [/a/:id, '/b/c/:id']}, upstream: a, rewrite: {path: '/x/:id'}}"]
    with routed(routes, {"a": endpoint}).connect() as wire:
        assert (wire.get("/a/1").status, wire.get("/b/c/2").status) == (200, 200)
    assert endpoint.targets == ["/x/1", "/x/2"]


@pytest.mark.parametrize("target", ["/", "http://shop.test/"])
def test_the_host_is_another_and_the_client_s_is_still_said(routed, upstream, target):
    endpoint = upstream()
    with routed(["  - {upstream: a, rewrite: {host: orders.svc:8080}}"], {"a": endpoint}).connect() as wire:
        assert wire.get(target, host="shop.test").status == 200
    (seen,) = endpoint.requests
    assert (seen.header("host"), seen.header("x-forwarded-host")) == ("orders.svc:8080", "shop.test")
    # RFC 9110 section 7.2: it should come first.
    assert seen.headers[0][0] == "Host"


def test_a_retry_gets_the_same_path(routed, upstream):
    def first_fails(peer):
        if peer.number:
            peer.request()
            peer.send(answer())
        else:
            peer.head()

    endpoint = upstream(first_fails)
    routes = ["  - {match: {path: '/v1/*rest'}, upstream: a, rewrite: {prefix: /}, headers: {request: {set: {x-a: b}}}}"]
    server = routed(routes, {"a": endpoint})
    # That which a gateway makes at its start, and which is unused when the request comes.
    endpoint.wait_for_connections(1)
    with server.connect() as wire:
        assert wire.get("/v1/%61").status == 200
    assert [(seen.target, seen.header("x-a")) for seen in endpoint.requests] == [("/%61", "b")] * 2


# Redirects

KEEPS = 'redirect: {to: "https://shop.test:8443"'


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_redirect_keeps_path_and_query(routed, status, method):
    with routed([f"  - {{{KEEPS}, status: {status}}}}}"], {"a": FREE}).connect() as wire:
        lines = ["Content-Length: 0"] if method == "POST" else []
        reply = wire.get("/a/b%2Cc?d=e&f=/?", method=method, headers=lines)
    assert (reply.status, reply.header("location")) == (status, "https://shop.test:8443/a/b%2Cc?d=e&f=/?")
    assert (reply.body, reply.header("content-length")) == (b"", "0")


@pytest.mark.parametrize("target, location", [
    ("/", "/"), ("//evil.test/", "//evil.test/"), ("/%0d%0aSet-Cookie:%20a=b", None), ("/\\evil.test", None),
    ("/x/../../evil", None), ("/x/%2e%2e/y", "/y"), ("/@evil.test", "/@evil.test"), ("/.evil.test", "/.evil.test"),
    ("/?a\\b\"<>", "/?a\\b\"<>"), ("/%C3%A9%20", "/%C3%A9%20"), ("http://test", "/"), ("http://test?a", "/?a"),
    ("http://test//evil.test/", "//evil.test/"), ("/?", "/?"),
])
def test_no_target_leads_to_another_host_or_line(routed, target, location):
    with routed([f"  - {{{KEEPS}}}}}"], {"a": FREE}).connect() as wire:
        reply = wire.get(target)
    if location is None:
        assert (reply.status, reply.header("location")) == (400, None)
    else:
        assert (reply.status, reply.header("location")) == (308, f"https://shop.test:8443{location}")
        parts = urllib.parse.urlsplit(reply.header("location"))
        assert (parts.scheme, parts.netloc) == ("https", "shop.test:8443")
    assert reply.header("set-cookie") is None


def test_a_redirect_does_not_wait_for_the_body(routed):
    with routed([f"  - {{{KEEPS}}}}}"], {"a": FREE}).connect() as wire:
        wire.send(request("/up", "PUT", ["Content-Length: 100000000", "Expect: 100-continue"]))
        reply = wire.reply("PUT")
        assert (reply.status, reply.header("location"), reply.informational) == (308, "https://shop.test:8443/up", [])
        wire.expect_end()


def test_a_redirect_reads_past_a_short_body(routed):
    with routed([f"  - {{{KEEPS}}}}}"], {"a": FREE}).connect() as wire:
        wire.send(request("/1", "POST", ["Content-Length: 5"]))
        assert wire.reply("POST").status == 308
        wire.send(b"hello" + request("/2"))
        assert wire.reply().header("location") == "https://shop.test:8443/2"
