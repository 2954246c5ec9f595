# SPDX-License-Identifier: Apache-2.0
# The demo service over HTTP/1.1 as ordinary clients use it: routes, methods, bodies, kept connections.

import email.utils
import json
import time

import httpx
import pytest
import requests

from admission import wait_for_pool
from test_proxy_log import entries
from wire import request

ROUTES = [
    ("/hello", "text/plain; charset=utf-8", b"Hello, world\n"),
    ("/async", "text/plain; charset=utf-8", b"Hello, world\n"),
    ("/blocking", "text/plain; charset=utf-8", b"Hello, world\n"),
    ("/json", "application/json", b'{"message":"Hello, world"}'),
    ("/sleep?ms=20", "text/plain; charset=utf-8", b"slept 20 ms\n"),
    ("/users/7/orders/9", "text/plain; charset=utf-8", b"user 7, order 9\n"),
    ("/files/inside.txt", None, b"inside"),
]


@pytest.mark.parametrize("target, kind, body", ROUTES)
def test_curl_gets_every_route(server, curl, target, kind, body):
    head, _, received = curl("-i", server.url + target).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received == body
    if kind:
        assert f"content-type: {kind}".encode() in head.lower()


@pytest.mark.parametrize("target, kind, body", ROUTES)
def test_head_is_get_without_the_body(server, target, kind, body):
    with server.connect() as wire:
        full, head = wire.get(target), wire.get(target, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.header("content-length") == str(len(body))
        assert head.header("content-type") == full.header("content-type")
        assert wire.get().body == b"Hello, world\n"


def test_options_lists_the_methods_of_a_route(server, curl):
    with server.connect() as wire:
        reply = wire.get("/hello", method="OPTIONS")
        assert reply.status == 204
        assert set(reply.header("allow").split(", ")) == {"GET", "HEAD", "OPTIONS"}
        assert set(wire.get("/echo", method="OPTIONS").header("allow").split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("method, target, allowed", [
    ("DELETE", "/hello", {"GET", "HEAD", "OPTIONS"}),
    ("POST", "/users/7/orders/9", {"GET", "HEAD", "OPTIONS"}),
    ("GET", "/echo", {"POST", "OPTIONS"}),
])
def test_a_method_that_a_route_lacks_is_answered_405_with_allow(server, method, target, allowed):
    response = requests.request(method, server.url + target)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed
    assert response.headers["content-type"] == "application/problem+json"


def test_an_unknown_method_is_answered_501(server):
    with server.connect() as wire:
        assert wire.get("/hello", method="BREW").status == 501


@pytest.mark.parametrize("target", ["/", "/nope", "/hello/", "/hello/more", "/Hello", "/users/7/orders"])
def test_an_unknown_path_is_answered_404_with_a_problem_document(server, target):
    response = httpx.get(server.url + target)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["title"]) == (404, "Not Found")


def test_a_problem_carries_the_clients_request_id(server):
    response = requests.get(server.url + "/nope", headers={"X-Request-Id": "abc-123"})
    assert response.json()["request_id"] == "abc-123"


def test_a_handlers_own_error_reaches_the_client(server):
    response = requests.get(server.url + "/sleep?ms=soon")
    assert response.status_code == 400
    assert response.json()["detail"] == "ms: a number of milliseconds is expected"


def test_parameters_are_percent_decoded_once(server):
    with server.connect() as wire:
        assert wire.get("/users/a%20b/orders/%2541").body == b"user a b, order %41\n"
        assert wire.get("/%68ello").body == b"Hello, world\n"


def test_every_answer_has_the_present_date(server):
    with server.connect() as wire:
        date = email.utils.parsedate_to_datetime(wire.get().header("date"))
    assert abs(date.timestamp() - time.time()) < 5


def test_a_connection_is_kept_for_many_requests(server):
    with server.connect() as wire:
        for index in range(50):
            reply = wire.get(f"/users/{index}/orders/1")
            assert reply.body == f"user {index}, order 1\n".encode()
            assert not reply.closes


def test_clients_that_pool_connections_keep_theirs(serve):
    server = serve()
    with httpx.Client() as client:
        for _ in range(20):
            assert client.get(server.url + "/hello").text == "Hello, world\n"
    with requests.Session() as session:
        for _ in range(20):
            assert session.get(server.url + "/async").text == "Hello, world\n"
    assert server.metric("weir_connections_accepted_total") == 2


def test_sixteen_pipelined_requests_are_answered_in_order(server):
    with server.connect() as wire:
        wire.send(b"".join(request(f"/users/{index}/orders/0") for index in range(16)))
        assert [wire.reply().body for _ in range(16)] == [f"user {index}, order 0\n".encode() for index in range(16)]


def test_pipelined_requests_of_all_kinds_keep_their_order(server):
    kinds = ["/sleep?ms=60", "/users/{}/orders/1", "/async", "/blocking", "/sleep?ms=1", "/nope", "/files/inside.txt", "/json"]
    targets = [kinds[index % 8].format(index) for index in range(16)]
    with server.connect() as one, server.connect() as other:
        other.send(b"".join(map(request, targets)))
        expected = [one.get(target) for target in targets]
        for target, alone in zip(targets, expected):
            reply = other.reply()
            assert reply.status == alone.status, target
            if reply.status == 200:
                assert reply.body == alone.body, target


def test_pipelined_requests_may_have_bodies(server):
    posts = [request("/echo", "POST", [f"Content-Length: {index}"], b"x" * index) for index in range(8)]
    chunked = [request("/echo", "POST", ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\n\r\n")] * 8
    with server.connect() as wire:
        wire.send(b"".join(a + b for a, b in zip(posts, chunked)))
        for index in range(8):
            assert wire.reply("POST").body == b"x" * index
            assert wire.reply("POST").body == b"abc"


def test_a_request_is_understood_however_its_bytes_arrive(server):
    text = request("/echo", "POST", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\nX-End: yes\r\n\r\n")
    with server.connect() as wire:
        for cut in range(1, len(text)):
            wire.send(text[:cut])
            wire.send(text[cut:])
            reply = wire.reply("POST")
            assert (reply.status, reply.body) == (200, b"hello"), cut


@pytest.mark.parametrize("target", ["/hello", "/blocking", "/json", "/files/inside.txt"])
def test_a_client_that_shut_its_side_still_gets_its_answer(server, target):
    # Often, because the end may be seen before, while and after the handler runs.
    for _ in range(50):
        with server.connect() as wire:
            wire.send(request(target))
            wire.end()
            assert wire.reply().status == 200
            wire.expect_end()


def test_a_client_that_shut_its_side_is_told_what_is_not_there(server):
    with server.connect() as wire:
        wire.send(request("/files/none.txt"))
        wire.end()
        assert wire.reply().status == 404


def test_a_handler_that_gives_up_with_its_client_answers_nothing(serve, tmp_path):
    log = tmp_path / "access.log"
    server = serve(WEIR_ACCESS_LOG=log, WEIR_LOOPS=1)
    with server.connect() as wire:
        wire.send(request("/sleep?ms=60000"))
        wait_for_pool(server, executing=1)
        wire.end()
        assert wire.read_to_end() == b""
    (line,) = entries(log, 1)
    assert line["reason"] == "aborted"
    assert server.metric("weir_requests_cancelled_total") == 1
    assert server.metric("weir_handler_errors_total") == 0
    assert not any("503" in name for name in server.metrics() if name.startswith("http_server_request_duration"))


def test_a_client_that_pipelines_and_shuts_its_side_gets_every_answer(server):
    targets = ["/hello", "/async", "/blocking", "/users/1/orders/2"] * 4
    with server.connect() as wire:
        wire.send(b"".join(map(request, targets)))
        wire.end()
        assert [wire.reply().status for _ in targets] == [200] * 16
        wire.expect_end()


# Connection, versions and forms of the target


def test_connection_close_is_honoured(server):
    with server.connect() as wire:
        assert wire.get(headers=["Connection: close"]).closes
        wire.expect_end()


def test_http_1_0_closes_by_default(server):
    with server.connect() as wire:
        reply = wire.get(version="1.0", host=None)
        assert (reply.status, reply.body) == (200, b"Hello, world\n")
        wire.expect_end()


def test_http_1_0_is_kept_when_it_asks(server):
    with server.connect() as wire:
        for _ in range(3):
            reply = wire.get(version="1.0", host=None, headers=["Connection: keep-alive"])
            assert reply.body == b"Hello, world\n"
            assert reply.header("connection") == "keep-alive"


def test_the_absolute_form_of_a_target_is_understood(server):
    with server.connect() as wire:
        assert wire.get("http://test/users/1/orders/2?x=1").body == b"user 1, order 2\n"
        assert wire.get("http://test").status == 404


def test_curl_through_us_as_a_proxy_sends_the_absolute_form(server, curl):
    assert curl("--noproxy", "", "--proxy", server.url, "http://elsewhere.test/hello") == b"Hello, world\n"


def test_options_asterisk_asks_about_the_server(server):
    with server.connect() as wire:
        reply = wire.get("*", method="OPTIONS")
        assert reply.status == 204
        assert {"GET", "HEAD", "OPTIONS", "POST"} <= set(reply.header("allow").split(", "))
        assert wire.get().status == 200


def test_connect_is_refused(server):
    with server.connect() as wire:
        wire.send(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n")
        reply = wire.reply()
        assert (reply.status, reply.closes) == (501, True)
        wire.expect_end()


def test_an_empty_line_before_a_request_is_ignored(server):
    with server.connect() as wire:
        wire.send(b"\r\n" + request())
        assert wire.reply().status == 200


# Bodies


def test_a_large_body_is_echoed(server, curl, files):
    body = (files / "big.bin").read_bytes()
    assert curl("--data-binary", "@-", "-H", "Expect:", server.url + "/echo", input=body) == body


def test_a_large_chunked_body_is_echoed(server, files):
    body = (files / "big.bin").read_bytes()
    pieces = (body[at:at + 100_000] for at in range(0, len(body), 100_000))
    assert requests.post(server.url + "/echo", data=pieces).content == body


@pytest.mark.parametrize("size", [0, 5, 9_000, 65_536, 200_000])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_echo_of_a_body_whose_length_is_known_has_that_length(server, size, version):
    body = bytes(at % 251 for at in range(size))
    with server.connect() as wire:
        for _ in range(2):
            fields = [f"Content-Length: {size}", "Connection: keep-alive"]
            wire.send(request("/echo", "POST", fields, body, version=version))
            reply = wire.reply("POST")
            assert reply.header("content-length") == str(size) and reply.body == body


def test_the_echo_keeps_the_content_type(server):
    reply = requests.post(server.url + "/echo", data=b"<a/>", headers={"Content-Type": "application/xml"})
    assert reply.headers["content-type"] == "application/xml"


def test_an_echo_comes_back_while_the_body_is_still_being_sent(server):
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
        for word in [b"first", b"second", b"third"]:
            wire.send(b"%x\r\n%s\r\n" % (len(word), word))
            wire.read_until(word)
        wire.send(b"0\r\n\r\n")
        assert wire.read_until(b"0\r\n\r\n")
        assert wire.get().status == 200


def test_trailers_are_echoed_and_chunk_extensions_are_ignored(server):
    body = b'5;a;b=c;d="e;\\"f"\r\nhello\r\n1 ; g = h\r\n!\r\n0;last\r\nX-Sum: 42\r\nX-More: yes\r\n\r\n'
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked", "TE: trailers"], body))
        reply = wire.reply("POST")
        assert reply.body == b"hello!"
        assert (b"x-sum", b"42") in reply.trailers and (b"x-more", b"yes") in reply.trailers
        assert wire.get().status == 200


def test_a_body_that_nobody_reads_does_not_disturb_the_next_request(server):
    with server.connect() as wire:
        for target in ["/nope", "/async", "/sleep?ms=5"]:
            reply = wire.get(target, headers=["Content-Length: 1000"], body=b"GET /smuggled HTTP/1.1\r\n".ljust(1000, b"x"))
            assert reply.status in (200, 404) and not reply.closes
        wire.send(request("/nope", "POST", ["Transfer-Encoding: chunked"], b"4\r\nbody\r\n0\r\n\r\n"))
        assert wire.reply().status == 404
        assert wire.get("/users/still/orders/here").body == b"user still, order here\n"


def test_a_refusal_can_be_read_although_the_body_goes_on(server):
    with server.connect() as wire:
        wire.send(request("/nope", "POST", ["Content-Length: 900000"], b"x" * 900_000))
        assert wire.reply("POST").status == 404


# Expect: 100-continue


def test_curl_waits_for_100_and_sends_a_large_body(server, curl, files):
    body = (files / "big.bin").read_bytes()
    answer = curl("-i", "--expect100-timeout", "15", "--data-binary", "@-", "-H", "Expect: 100-continue",
                  server.url + "/echo", input=body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(body)


@pytest.mark.parametrize("method, target", [("POST", "/echo"), ("GET", "/hello"), ("GET", "/blocking")])
def test_100_comes_before_the_body_is_sent(server, method, target):
    with server.connect() as wire:
        wire.send(request(target, method, ["Content-Length: 5", "Expect: 100-continue"]))
        assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"hello")
        assert wire.reply(method).status == 200
        assert wire.get().status == 200


def test_no_100_is_sent_for_a_body_that_came_along(server):
    with server.connect() as wire:
        reply = wire.get("/hello", headers=["Content-Length: 5", "Expect: 100-continue"], body=b"hello")
        assert (reply.status, reply.informational) in [(200, []), (200, [100])]
        assert wire.get().informational == []


@pytest.mark.parametrize("method, target, status", [("POST", "/nope", 404), ("PUT", "/hello", 405)])
def test_a_refused_body_is_not_asked_for_and_the_connection_closes(server, method, target, status):
    with server.connect() as wire:
        wire.send(request(target, method, ["Content-Length: 5", "Expect: 100-continue"]))
        reply = wire.reply(method)
        assert (reply.status, reply.informational) == (status, [])
        assert reply.closes
        wire.expect_end()


def test_an_expectation_without_a_body_is_ignored(server):
    with server.connect() as wire:
        reply = wire.get(headers=["Expect: 100-continue"])
        assert (reply.status, reply.informational) == (200, [])


def test_json_is_what_a_json_reader_reads(server, curl):
    assert json.loads(curl(server.url + "/json")) == {"message": "Hello, world"}
