# SPDX-License-Identifier: Apache-2.0
# Heads on their way through the gateway: what goes on, what is the gateway's own, and what ends with the connection.

import json
import re

import pytest

from upstream import answer, repeating, replying
from wire import request

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MKCOL", "REPORT", "M-SEARCH", "get", "X"]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def passed(upstream, gateway):
    """Sends one request through a gateway; gives it as the endpoint saw it, and the reply."""

    def run(data, script=None, method="GET", **settings):
        endpoint = upstream(script or repeating(answer()))
        server = gateway(endpoint, **settings)
        with server.connect() as wire:
            wire.send(data)
            reply = wire.reply(method)
        return endpoint.wait_for_requests(1)[0], reply

    return run


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on(passed, method):
    seen, reply = passed(request("/a", method))
    assert (seen.method, seen.target, seen.version, reply.status, reply.body) == (method, "/a", "HTTP/1.1", 200, b"ok")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize("given, goes_on", [
    (["1"], ["0"]), (["10"], ["9"]), (["007"], ["6"]), (["99999999999999999999"], ["18446744073709551614"]),
    # What is no number counts nothing, and is the endpoint's to judge.
    (["-1"], ["-1"]), (["x"], ["x"]), ([""], [""]), (["3", "4"], ["3", "4"]), (["1, 2"], ["1, 2"]),
])  # fmt: skip
def test_max_forwards_is_counted_down(passed, method, given, goes_on):
    seen, reply = passed(request("/a", method, [f"Max-Forwards: {value}" for value in given]), method=method)
    assert [value.strip() for name, value in seen.headers if name.lower() == "max-forwards"] == goes_on
    assert reply.status == 200


def test_max_forwards_means_nothing_to_other_methods(passed):
    seen, _ = passed(request("/a", "GET", ["Max-Forwards: 0"]))
    assert seen.header("max-forwards") == "0"


@pytest.mark.parametrize("framing, body", [([], b""), (["Content-Length: 5"], b"hello")])
def test_what_may_go_no_further_is_answered_here(upstream, gateway, framing, body):
    endpoint = upstream(repeating(answer()))
    server = gateway(endpoint)
    with server.connect() as wire:
        wire.send(request("/a", "OPTIONS", ["Max-Forwards: 0", *framing], body))
        reply = wire.reply("OPTIONS")
        allowed = reply.header("allow").split(", ")
        assert reply.status == 204 and {"GET", "POST", "OPTIONS"} <= set(allowed) and "TRACE" not in allowed
    with server.connect() as wire:
        wire.send(request("/a", "TRACE", ["Max-Forwards: 00", "Cookie: secret", *framing], body))
        reply = wire.reply("TRACE")
        assert (reply.status, reply.header("allow").split(", ")) == (405, allowed)
        assert b"secret" not in reply.body
    assert endpoint.requests == []
    # It has left as any other request does.
    assert server.metric('weir_requests_executing{pool="pod"}') == 0


def test_what_is_answered_here_allows_what_its_route_does(routed, upstream):
    endpoint = upstream(repeating(answer()))
    server = routed(["  - {match: {path: /a, methods: [GET, OPTIONS, TRACE]}, upstream: a}"], {"a": endpoint})
    with server.connect() as wire:
        wire.send(request("/a", "OPTIONS", ["Max-Forwards: 0"]))
        assert wire.reply("OPTIONS").header("allow") == "GET, HEAD, OPTIONS"
    assert endpoint.requests == []


def test_fields_go_on_as_they_came_and_in_their_order(passed):
    lines = ["X-One: 1", "x-TWO:   2  ", "Cookie: a=b", "X-One: again", "Accept: */*", "X-Empty: ", "Authorization: Basic eA=="]
    seen, _ = passed(request("/", headers=lines))
    own = [pair for pair in seen.headers if pair[0].lower() in ("x-one", "x-two", "cookie", "accept", "authorization")]
    assert [(name, value.strip()) for name, value in own] == [
        ("X-One", "1"), ("x-TWO", "2"), ("Cookie", "a=b"), ("X-One", "again"), ("Accept", "*/*"), ("Authorization", "Basic eA=="),
    ]  # fmt: skip
    assert seen.header("x-empty") == ""
    assert seen.header("host") == "test"


def test_response_fields_come_back_as_they_went(passed):
    fields = ["X-One: 1", "Set-Cookie: a=b", "Set-Cookie: c=d; Path=/", "ETag: \"x\"", "Server: theirs", "x-lower: y"]
    _, reply = passed(request("/"), repeating(answer(headers=fields)))
    assert reply.values("set-cookie") == ["a=b", "c=d; Path=/"]
    assert (reply.header("x-one"), reply.header("etag"), reply.header("server"), reply.header("x-lower")) == (
        "1", '"x"', "theirs", "y",
    )  # fmt: skip


HOP_BY_HOP = [
    "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eA==", "TE: trailers, gzip",
    "Connection: close, X-Secret, X-Other", "X-Secret: hidden", "x-other: hidden", "Upgrade: h2c",
]  # fmt: skip


def test_hop_by_hop_fields_and_those_that_connection_names_end_here(passed):
    seen, reply = passed(request("/", headers=[*HOP_BY_HOP, "X-Kept: yes"]))
    names = {name.lower() for name, _ in seen.headers}
    assert "x-kept" in names
    assert not names & {"keep-alive", "proxy-connection", "proxy-authorization", "te", "x-secret", "x-other", "upgrade"}
    assert "close" not in (seen.header("connection") or "")
    assert reply.closes


def test_hop_by_hop_fields_of_the_response_end_here(passed):
    fields = ["Connection: X-Secret", "X-Secret: hidden", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "X-Kept: yes"]
    _, reply = passed(request("/"), repeating(answer(headers=fields)))
    names = {name for name, _ in reply.headers}
    assert b"x-kept" in names
    assert not names & {b"x-secret", b"keep-alive", b"proxy-authenticate", b"connection"}


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "X-Forwarded-For", "Via", "X-Request-Id"])
def test_connection_cannot_take_away_what_the_message_needs(upstream, gateway, name):
    """Naming a field in Connection must not unframe a body or hide who asks; refusing the request is as good."""
    endpoint = upstream()
    server = gateway(endpoint)
    with server.connect() as wire:
        wire.send(request("/", "POST", [f"Connection: {name}", "Content-Length: 5"], b"hello"))
        reply = wire.reply()
    if reply.status == 400:
        assert endpoint.requests == []
        return
    (seen,) = endpoint.requests
    assert (seen.header("host"), seen.body) == ("test", b"hello")
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("via") == "1.1 weir"


def test_a_request_without_an_id_gets_one(passed):
    seen, _ = passed(request("/"))
    assert re.fullmatch("[0-9a-f]{16}", seen.header("x-request-id"))


@pytest.mark.parametrize("given", ["abc-123", "0" * 64])
def test_a_given_request_id_goes_on(passed, given):
    seen, _ = passed(request("/", headers=[f"X-Request-Id: {given}"]))
    assert seen.header("x-request-id") == given


@pytest.mark.parametrize("given", ["", "x" * 1000, 'a"b', "a b"])
def test_a_request_id_that_is_none_is_replaced(passed, given):
    seen, _ = passed(request("/", headers=[f"X-Request-Id: {given}"]))
    assert re.fullmatch("[0-9a-f]{16}", seen.header("x-request-id"))


def test_a_trace_goes_on_and_a_new_one_begins_where_there_is_none(passed):
    seen, _ = passed(request("/", headers=[f"traceparent: {TRACE}", "tracestate: a=1"]))
    assert (seen.header("traceparent"), seen.header("tracestate")) == (TRACE, "a=1")


@pytest.mark.parametrize("given", [[], ["traceparent: nonsense"], ["traceparent: 00-" + "0" * 32 + "-b7ad6b7169203331-01"]])
def test_a_request_without_a_valid_trace_gets_one(passed, given):
    seen, _ = passed(request("/", headers=given))
    match = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]", seen.header("traceparent"))
    assert match and int(match[1], 16) and int(match[2], 16)


def test_each_request_gets_a_trace_and_an_id_of_its_own(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint)
    with server.connect() as wire:
        for _ in range(50):
            wire.get()
    assert len({seen.header("traceparent") for seen in endpoint.requests}) == 50
    assert len({seen.header("x-request-id") for seen in endpoint.requests}) == 50


def test_attempts_belong_to_one_trace(upstream, gateway):
    def first_fails(peer):
        if peer.number:
            peer.request()
            peer.send(answer())
        else:
            peer.head()

    endpoint = upstream(first_fails)
    with gateway(endpoint).connect() as wire:
        assert wire.get().status == 200
    traces = [seen.header("traceparent").split("-") for seen in endpoint.requests]
    assert len(traces) == 2 and traces[0][1] == traces[1][1] and traces[0][2] != traces[1][2]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_via_names_the_gateway_behind_others(passed, version):
    seen, _ = passed(request("/", version=version, headers=["Via: 1.1 first"]))
    assert ", ".join(seen.values("via")) == f"1.1 first, {version} weir"


def test_a_date_is_added_where_the_endpoint_sends_none(passed):
    _, reply = passed(request("/"))
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.header("date"))


def test_the_endpoints_date_is_kept(passed):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    _, reply = passed(request("/"), repeating(answer(headers=[f"Date: {date}"])))
    assert reply.header("date") == date


TARGETS = {
    "/": "/",
    "/a/b?c=d&e": "/a/b?c=d&e",
    "/a?": "/a?",
    "/a%20b/%C3%BC%2C": "/a%20b/%C3%BC%2C",
    "//double//slash": None,
    "/a/./b": "/a/b",
    "/a/../b": "/b",
    "/a/b/..": "/a/",
    "/a/%2e%2E/b": "/b",
    "/a/.%2e/b?x=/../y": "/b?x=/../y",
    "/a/%2e": "/a/",
    "/...": "/...",
    "/a/..b/.c": "/a/..b/.c",
    "http://test/absolute?q": "/absolute?q",
    "http://test": "/",
    "http://test?q": "/?q",
    "http://test/a/../b": "/b",
}


@pytest.mark.parametrize("target", TARGETS)
def test_targets_go_on_without_dot_segments_and_else_as_they_came(passed, target):
    seen, _ = passed(request(target))
    assert seen.target == (TARGETS[target] or target)
    assert seen.header("host") == "test"


@pytest.mark.parametrize("target", ["/..", "/a/../../b", "/%2e%2e/b", "/a/%2e%2e/%2e%2e/b", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a%zz"])
def test_a_path_that_leads_elsewhere_is_refused(upstream, gateway, target):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get(target).status == 400
    assert endpoint.requests == []


def test_the_authority_of_an_absolute_target_is_the_host(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get("http://Test:8080/", host="Test:8080").status == 200
    assert endpoint.requests[0].header("host") == "Test:8080"


@pytest.mark.parametrize("headers", [[], ["Connection: keep-alive"]])
def test_an_http_1_0_client_is_served(passed, headers):
    seen, reply = passed(request("/", version="1.0", headers=headers))
    assert (seen.version, seen.header("host"), reply.status, reply.body) == ("HTTP/1.1", "test", 200, b"ok")
    assert reply.header("connection") == ("keep-alive" if headers else "close")


def test_an_http_1_0_client_that_names_no_host_gets_the_endpoints(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get("/", version="1.0", host=None).status == 200
    (seen,) = endpoint.requests
    assert seen.header("host") == f"127.0.0.1:{endpoint.port}"
    # It is not what the client asked for, and nobody may believe so.
    assert seen.header("x-forwarded-host") is None
    assert seen.header("forwarded") == "for=127.0.0.1;proto=http"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_responses_that_have_no_body_keep_the_connection(upstream, gateway, status, method):
    endpoint = upstream(repeating(answer(b"", status, ["ETag: \"a\""], length=False)))
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            reply = wire.get(method=method)
            assert (reply.status, reply.body, reply.header("etag")) == (int(status[:3]), b"", '"a"')
            assert reply.header("content-length") is None and reply.header("transfer-encoding") is None
    assert len(endpoint.connections) == 1


def test_304_may_tell_the_length_of_what_it_does_not_send(upstream, gateway):
    endpoint = upstream(repeating(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"))
    with gateway(endpoint).connect() as wire:
        for _ in range(2):
            reply = wire.get()
            assert (reply.status, reply.header("content-length"), reply.body) == (304, "1234", b"")
    assert len(endpoint.connections) == 1


@pytest.mark.parametrize("framing", ["Content-Length: 1234", "Transfer-Encoding: chunked", None])
def test_the_answer_to_head_has_no_body(upstream, gateway, framing):
    endpoint = upstream(repeating(answer(b"", headers=[framing] if framing else [], length=False)))
    with gateway(endpoint).connect() as wire:
        for _ in range(2):
            reply = wire.get(method="HEAD")
            assert (reply.status, reply.body) == (200, b"")
        wire.send(request("/", "HEAD") + request("/", "HEAD"))
        assert [wire.reply("HEAD").status, wire.reply("HEAD").status] == [200, 200]
    assert len(endpoint.connections) == 1
    assert reply.header("content-length") == (framing[16:] if framing and framing.startswith("Content") else None)


@pytest.mark.parametrize("status", ["200 ", "200 Sure thing", "299 Odd", "499 Own", "599 Last", "418 I'm a teapot"])
def test_every_status_comes_back(passed, status):
    _, reply = passed(request("/"), repeating(answer(status=status)))
    assert (reply.status, reply.body) == (int(status[:3]), b"ok")


def test_heads_as_large_as_the_limits_go_through(passed):
    lines = [f"X-{index}: {'v' * 300}" for index in range(90)]
    seen, reply = passed(request("/" + "p" * 7000, headers=lines), repeating(answer(headers=lines)))
    assert len(seen.target) == 7001
    for index in (0, 89):
        assert seen.header(f"x-{index}") == reply.header(f"x-{index}") == "v" * 300


@pytest.mark.parametrize("count, size", [(199, 300), (20, 3200)])
def test_the_limits_of_requests_do_not_bound_responses(passed, count, size):
    lines = [f"X-{index}: {'v' * size}" for index in range(count)]
    _, reply = passed(request("/"), repeating(answer(headers=lines)), WEIR_HEADER_BYTES="1KiB", WEIR_HEADER_FIELDS=8)
    assert reply.status == 200
    assert len([name for name, _ in reply.headers if name.startswith(b"x-")]) == count


@pytest.mark.parametrize("setting, value, count, size", [
    ("WEIR_UPSTREAM_HEADER_BYTES", None, 30, 3200), ("WEIR_UPSTREAM_HEADER_FIELDS", None, 200, 10),
    ("WEIR_UPSTREAM_HEADER_BYTES", "2KiB", 2, 1100), ("WEIR_UPSTREAM_HEADER_FIELDS", 8, 8, 10),
])  # fmt: skip
def test_a_response_with_more_than_its_limits_is_a_502(passed, setting, value, count, size):
    # Content-Length is one more.
    lines = [f"X-{index}: {'v' * size}" for index in range(count)]
    _, reply = passed(request("/"), repeating(answer(headers=lines)), **{setting: value})
    assert (reply.status, json.loads(reply.body)["reason"]) == (502, "upstream_malformed")


def test_a_head_that_comes_in_single_bytes_is_the_same(upstream, gateway):
    def script(peer):
        while True:
            peer.request()
            peer.send_bytewise(answer(b"hello", headers=["X-A: b"]))

    endpoint = upstream(script)
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            reply = wire.get()
            assert (reply.status, reply.header("x-a"), reply.body) == (200, "b", b"hello")
    assert len(endpoint.connections) == 1


def test_a_request_that_comes_in_single_bytes_goes_on_whole(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        for byte in request("/slow", "POST", ["Content-Length: 5"], b"hello"):
            wire.send(bytes([byte]))
        assert wire.reply().status == 200
    assert (endpoint.requests[0].target, endpoint.requests[0].body) == ("/slow", b"hello")


def test_the_answer_to_a_client_that_closes_says_so(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint)
    for _ in range(3):
        with server.connect() as wire:
            assert wire.get(headers=["Connection: close"]).closes
            wire.expect_end()
    # The client's wish is about its own connection.
    assert len(endpoint.connections) == 1


def test_an_endpoint_that_closes_does_not_close_the_client(upstream, gateway):
    endpoint = upstream(replying(answer(headers=["Connection: close"])))
    with gateway(endpoint).connect() as wire:
        for _ in range(5):
            reply = wire.get()
            assert (reply.status, reply.closes) == (200, False)
    assert len(endpoint.connections) == 5


def test_an_http_1_0_endpoint_is_understood(upstream, gateway):
    endpoint = upstream(replying(b"HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nuntil the end"))
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            reply = wire.get()
            assert (reply.status, reply.version, reply.body) == (200, b"1.1", b"until the end")
            assert not reply.closes
    assert len(endpoint.connections) == 3


def test_a_minor_version_to_come_is_read_as_1_1(passed):
    _, reply = passed(request("/"), repeating(b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert (reply.status, reply.version, reply.body) == (200, b"1.1", b"ok")


def test_an_http_1_0_endpoint_may_keep_its_connection(upstream, gateway):
    endpoint = upstream(repeating(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"))
    with gateway(endpoint).connect() as wire:
        for _ in range(3):
            assert wire.get().body == b"ok"
    assert len(endpoint.connections) == 1
