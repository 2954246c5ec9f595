# SPDX-License-Identifier: Apache-2.0
# The gateway in front of services: its own demo, another gateway's, and one that is not there yet.

import json
import socket

import httpx
import pytest

from polling import eventually
from test_admin import promtool
from wire import request


def endpoints(gateway):
    [upstream] = json.loads(gateway.ask_admin("/upstreams")[1])["upstreams"]
    assert upstream["name"] == "default"
    return upstream["endpoints"]


def wait_until_ready(gateway):
    eventually(lambda: gateway.ask_admin("/readyz")[0] == 200, "the gateway is ready")


@pytest.mark.parametrize("target", ["/", "//", "/nope", "/nope/", "/a/../b", "/?a=b"])
def test_every_path_goes_to_the_service_behind(weir, target):
    gateway = weir()
    wait_until_ready(gateway)
    before = endpoints(gateway)[0]["requests"]
    with gateway.connect() as wire:
        assert wire.get(target).status == 404
    assert endpoints(gateway)[0]["requests"] == before + 1


def test_the_demo_answers_behind_the_gateway(weir):
    gateway = weir()
    wait_until_ready(gateway)
    with gateway.connect() as wire:
        assert wire.get("/hello").body == b"Hello, world\n"
        assert wire.get("/users/7/orders/42").body == b"user 7, order 42\n"
        assert wire.get("/hello", method="POST").status == 405
    [endpoint] = endpoints(gateway)
    assert endpoint["requests"] == 3 and endpoint["has_answered"]
    assert sum(endpoint["failures"].values()) == 0
    assert promtool(gateway.ask_admin("/metrics")[1]) == (0, "")
    labels = f'upstream="default",endpoint="{endpoint["url"]}"'
    assert gateway.metric(f"weir_upstream_requests_total{{{labels}}}") == 3


def test_the_demo_is_on_loopback_and_answers_itself(weir):
    gateway = weir()
    [endpoint] = endpoints(gateway)
    assert endpoint["url"].startswith("http://127.0.0.1:")
    assert httpx.get(endpoint["url"] + "/hello").text == "Hello, world\n"
    config = {row["name"]: row for row in json.loads(gateway.ask_admin("/config")[1])["settings"]}
    assert config["WEIR_UPSTREAM"] == {
        "name": "WEIR_UPSTREAM", "value": endpoint["url"], "default": "", "source": "code"
    }


def test_a_gateway_stands_in_front_of_what_it_is_told(weir, serve):
    service = serve()
    gateway = weir(WEIR_UPSTREAM=service.url)
    wait_until_ready(gateway)
    with gateway.connect() as wire:
        assert wire.get("/hello").body == b"Hello, world\n"
    assert gateway.messages == ["serving"]
    assert service.wait_for_metric("weir_requests_total", 1) == 1


def test_a_gateway_is_ready_once_an_endpoint_has_answered_and_stays_so(weir, serve):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    gateway = weir(WEIR_UPSTREAM=f"http://127.0.0.1:{port}")
    assert gateway.ask_admin("/readyz") == (503, "not ready: no endpoint has answered yet\n")
    assert gateway.ask_admin("/livez")[0] == 200
    assert not endpoints(gateway)[0]["has_answered"]
    service = serve(WEIR_LISTEN=f"127.0.0.1:{port}")
    wait_until_ready(gateway)
    service.signal()
    assert service.wait() == 0
    with gateway.connect() as wire:
        assert wire.get().status == 502
    assert gateway.ask_admin("/readyz") == (200, "ready\n")
    assert endpoints(gateway)[0]["failures"]["connect"] > 0


def test_the_gateway_drains_before_the_demo_ends(weir):
    gateway = weir()
    wait_until_ready(gateway)
    with gateway.connect() as wire:
        wire.send(request("/sleep?ms=1000"))
        eventually(lambda: endpoints(gateway)[0]["requests_executing"] == 1, "the demo has the request")
        gateway.signal()
        reply = wire.reply()
        assert (reply.status, reply.body, reply.closes) == (200, b"slept 1000 ms\n", True)
    assert gateway.wait() == 0
    assert "drained" in gateway.messages


def test_a_drain_that_was_asked_for_lets_go_of_the_endpoints(weir):
    gateway = weir()
    wait_until_ready(gateway)
    with gateway.connect() as wire:
        assert wire.get().status == 200
    assert gateway.ask_admin("/drain") == (200, "drained\n")
    # The drain is about clients; connections that nobody uses go at the same time, not before.
    eventually(lambda: endpoints(gateway)[0]["connections"] == 0, "the endpoint's connections are closed")
    gateway.signal()
    assert gateway.wait() == 0
