# SPDX-License-Identifier: Apache-2.0
# What the access log and the metrics say of requests that were passed on.

import json

import pytest

from polling import eventually
from upstream import answer, repeating, unused_port
from wire import request


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


def entries(log, count):
    def found():
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines] if len(lines) >= count else None

    return eventually(found, f"{count} lines")


def test_a_line_says_what_the_endpoint_saw(upstream, gateway, log):
    endpoint = upstream(repeating(answer(b"x" * 1000)))
    with gateway(endpoint, WEIR_ACCESS_LOG=log).connect() as wire:
        wire.send(request("/a/b?c", "POST", ["Content-Length: 300"], b"y" * 300))
        assert wire.reply().status == 200
    (entry,), (seen,) = entries(log, 1), endpoint.requests
    assert (entry["method"], entry["status"], entry["endpoint"]) == ("POST", 200, endpoint.url)
    assert (entry["bytes_in"], entry["bytes_out"]) == (300, 1000)
    assert entry["request_id"] == seen.header("x-request-id")
    _, trace, span, _ = seen.header("traceparent").split("-")
    assert (entry["trace_id"], entry["span_id"]) == (trace, span)


def test_a_given_id_and_trace_are_in_the_line(upstream, gateway, log):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with gateway(upstream(), WEIR_ACCESS_LOG=log).connect() as wire:
        assert wire.get(headers=["X-Request-Id: mine-1", f"traceparent: {trace}"]).status == 200
    (entry,) = entries(log, 1)
    assert (entry["request_id"], entry["trace_id"]) == ("mine-1", trace[3:35])


def test_chunks_are_counted_without_their_coding(upstream, gateway, log):
    reply = answer(b"5\r\nhello\r\n0\r\n\r\n", headers=["Transfer-Encoding: chunked"], length=False)
    with gateway(upstream(repeating(reply)), WEIR_ACCESS_LOG=log).connect() as wire:
        wire.send(request("/", "POST", ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\n\r\n"))
        assert wire.reply().status == 200
    (entry,) = entries(log, 1)
    assert (entry["bytes_in"], entry["bytes_out"]) == (3, 5)


def test_a_tunnel_is_one_line_at_its_end(upstream, gateway, log):
    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\nhello")
        peer.take(3)

    with gateway(upstream(script), WEIR_ACCESS_LOG=log).connect() as wire:
        wire.send(request("/", headers=["Connection: upgrade", "Upgrade: test"]))
        wire.read_until(b"hello")
        assert not log.exists() or log.read_text() == ""
        wire.send(b"bye")
        assert wire.read_to_end() == b""
    (entry,) = entries(log, 1)
    assert (entry["status"], entry["bytes_in"], entry["bytes_out"]) == (101, 3, 5)


def test_the_endpoint_that_answered_is_named_and_not_the_one_that_refused(upstream, gateway, log):
    endpoint = upstream()
    with gateway(f"http://127.0.0.1:{unused_port()}", endpoint, WEIR_ACCESS_LOG=log).connect() as wire:
        for _ in range(4):
            assert wire.get().status == 200
    assert {entry["endpoint"] for entry in entries(log, 4)} == {endpoint.url}


def test_durations_are_counted_by_route_and_status(upstream, gateway):
    endpoint = upstream(repeating(answer(status="404 Not Found")))
    server = gateway(endpoint)
    with server.connect() as wire:
        for _ in range(7):
            assert wire.get("/some/where").status == 404
    metrics = server.metrics()
    counts = {name: value for name, value in metrics.items() if "request_duration_seconds_count" in name and value}
    if counts:
        ((name, value),) = counts.items()
        assert value == 7 and '"404"' in name and "some" not in name
    assert metrics["weir_requests_total"] == 7


def test_the_last_request_of_a_connection_says_so(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint, WEIR_KEEPALIVE_REQUESTS=3).connect() as wire:
        assert [wire.get().closes for _ in range(3)] == [False, False, True]
        wire.expect_end()
    # The connection to the endpoint is none of the client's business.
    assert len(endpoint.connections) == 1
