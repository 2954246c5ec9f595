# SPDX-License-Identifier: Apache-2.0
# Probes and metrics on their own port, and numbers that add up with what was sent.

import re
import subprocess

import httpx
import pytest

from polling import eventually
from wire import Wire, request


def promtool(text):
    result = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=20)
    return result.returncode, (result.stdout + result.stderr).decode()


def test_promtool_finds_nothing_in_fresh_metrics(serve):
    assert promtool(serve().ask_admin("/metrics")[1]) == (0, "")


def test_promtool_finds_nothing_after_every_kind_of_request(serve, files):
    server = serve(HELLO_FILES=files, WEIR_DEADLINE="200ms", WEIR_HEAD_TIMEOUT="100ms")
    targets = ["/hello", "/async", "/blocking", "/json", "/users/1/orders/2", "/files/inside.txt", "/files/no", "/no",
               "/sleep?ms=x", "/sleep?ms=9999"]
    with server.connect() as wire:
        for target in targets:
            for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"]:
                wire.get(target, method=method)
    for nonsense in [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /hello"]:
        with server.connect() as wire:
            wire.send(nonsense)
            wire.reply()
    assert promtool(server.ask_admin("/metrics")[1]) == (0, "")


def test_metrics_are_prometheus_text(serve):
    response = httpx.get(serve().admin_url + "/metrics")
    assert re.match(r"text/plain;\s*version=0\.0\.4", response.headers["content-type"])


def test_the_counters_add_up_with_what_was_sent(serve):
    server = serve()
    sent = {("GET", "/hello"): 30, ("HEAD", "/hello"): 3, ("GET", "/async"): 20, ("GET", "/blocking"): 10, ("POST", "/echo"): 5}
    sent_bytes = received_bytes = 0
    for (method, target), count in sent.items():
        with server.connect() as wire:
            text = b"".join(
                request(target, method, ["Connection: close"] * (index == count - 1) + ["Content-Length: 3"], b"abc")
                for index in range(count)
            )
            wire.send(text)
            sent_bytes += len(text)
            received_bytes += len(wire.read_to_end())
    with server.connect() as wire:
        assert wire.get("/nope").status == 404
        assert wire.get("/hello", method="DELETE").status == 405
        sent_bytes += len(request("/nope")) + len(request("/hello", "DELETE"))
    eventually(lambda: server.metric("weir_connections_open") == 0, "every connection is gone")
    metrics = server.metrics()
    total = sum(sent.values()) + 2
    assert metrics["weir_requests_total"] == total
    assert metrics["weir_connections_accepted_total"] == metrics["weir_connections_closed_total"] == len(sent) + 1
    assert metrics["weir_received_bytes_total"] == sent_bytes
    assert metrics["weir_sent_bytes_total"] > received_bytes
    for (method, target), count in sent.items():
        labels = f'http_request_method="{method}",http_route="{target}",http_response_status_code="200"'
        name = "http_server_request_duration_seconds"
        assert metrics[f"{name}_count{{{labels}}}"] == count
        assert metrics[f'{name}_bucket{{{labels},le="+Inf"}}'] == count
    counts = {name: value for name, value in metrics.items() if name.startswith("http_server_request_duration_seconds_count")}
    assert sum(counts.values()) == total
    quiet = [name for name in metrics if re.match(r"weir_(timeouts|rejected|parse_faults|handler_errors)_total", name)]
    assert quiet and all(metrics[name] == 0 for name in quiet)


def test_sent_bytes_are_what_clients_received(serve, files):
    server = serve(HELLO_FILES=files)
    with server.connect() as wire:
        wire.send(request("/files/big.bin") + request("/async") + request("/hello", headers=["Connection: close"]))
        received = len(wire.read_to_end())
    assert server.metric("weir_sent_bytes_total") == received


def test_the_duration_of_a_request_is_at_least_what_its_handler_slept(serve):
    server = serve()
    with server.connect() as wire:
        assert wire.get("/sleep?ms=300").status == 200
    labels = 'http_request_method="GET",http_route="/sleep",http_response_status_code="200"'
    metrics = server.metrics()
    assert metrics[f"http_server_request_duration_seconds_sum{{{labels}}}"] >= 0.3
    assert metrics[f'http_server_request_duration_seconds_bucket{{{labels},le="0.25"}}'] == 0


def test_gauges_follow_connections_and_requests(serve):
    server = serve()
    wires = [server.connect() for _ in range(10)]
    for wire in wires:
        assert wire.get().status == 200
    eventually(lambda: server.metric("weir_connections_open") == 10, "all are counted as open")
    assert server.metric('weir_requests_executing{pool="pod"}') == 0
    for wire in wires[:5]:
        wire.send(request("/sleep?ms=1000"))
    eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 5, "those that run are counted")
    for wire in wires[:5]:
        assert wire.reply().status == 200
    eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 0, "those that ended are not counted")
    for wire in wires:
        wire.close()
    eventually(lambda: server.metric("weir_connections_open") == 0, "none is counted any more")


def test_methods_that_clients_make_up_do_not_make_series(serve):
    server = serve()
    with server.connect() as wire:
        for index in range(50):
            assert wire.get("/hello", method=f"BREW{index}").status == 501
    counts = [name for name in server.metrics() if name.startswith("http_server_request_duration_seconds_count")]
    assert len(counts) == 1 and 'http_request_method="_OTHER"' in counts[0]


def test_paths_that_clients_make_up_do_not_make_series(serve):
    server = serve()
    with server.connect() as wire:
        for index in range(50):
            wire.get(f"/no/{index}")
            wire.get(f"/users/{index}/orders/{index}")
    counts = [name for name in server.metrics() if name.startswith("http_server_request_duration_seconds_count")]
    assert len(counts) == 2


def test_probes_answer_head_as_well(serve, curl):
    server = serve()
    for path in ["/livez", "/readyz"]:
        assert server.ask_admin(path)[0] == 200
        assert curl("-I", server.admin_url + path).startswith(b"HTTP/1.1 200 OK")


def test_the_admin_port_serves_no_more_than_it_should(serve):
    server = serve()
    assert server.ask_admin("/hello")[0] == 404
    assert httpx.post(server.admin_url + "/metrics").status_code == 405


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_the_service_port_shows_nothing_of_the_admin_port(server, path):
    with server.connect() as wire:
        assert wire.get(path).status == 404


def test_the_admin_port_can_be_switched_off(serve):
    server = serve(WEIR_ADMIN_LISTEN="off")
    assert server.admin == []
    with server.connect() as wire:
        assert wire.get().status == 200


def test_the_admin_port_can_be_a_unix_socket(serve, tmp_path):
    path = str(tmp_path / "admin.sock")
    serve(WEIR_ADMIN_LISTEN=f"unix:{path}")
    with Wire(path) as wire:
        assert wire.get("/livez").body == b"alive\n"


def test_probes_answer_while_every_worker_and_connection_is_taken(serve):
    server = serve(WEIR_CONNECTIONS=8, WEIR_WORKERS=1, WEIR_LOOPS=1)
    wires = [server.connect() for _ in range(12)]
    for wire in wires:
        wire.send(request("/sleep?ms=1000"))
    server.wait_for_metric("weir_accept_pauses_total", 1)
    assert [server.ask_admin(path)[0] for path in ("/livez", "/readyz")] == [200, 200]
    assert [wire.reply().status for wire in wires[:8]] == [200] * 8
    for wire in wires:
        wire.close()
