# SPDX-License-Identifier: Apache-2.0
# Secrets that the gateway is given stay with it: no page, log line, error or metric shows one.

import json

import pytest

from polling import eventually
from server import GATEWAY, run_gateway, run_to_failure
from upstream import Upstream, answer, repeating, unused_port
from wire import request

SECRET = "hunter2-that-nobody-may-read"
PAGES = ["/", "/livez", "/readyz", "/metrics", "/config", "/queue", "/guard", "/upstreams", "/v1/agent/self"]


def shown(server):
    """All that it says to those who may only look."""
    return "".join(server.ask_admin(page)[1] for page in PAGES) + "".join(server.log)


@pytest.mark.parametrize("settings", [
    {"WEIR_ADMIN_TOKEN": SECRET},
    {"WEIR_CONSUL_TOKEN": SECRET},
    {"WEIR_REDIS": f"redis://user:{SECRET}@127.0.0.1:{{port}}"},
    {"WEIR_REDIS": f"redis://:{SECRET}@127.0.0.1:{{port}}/1"},
], ids=lambda settings: next(iter(settings)))  # fmt: skip
def test_no_page_and_no_line_shows_one(gateway, upstream, settings):
    nobody = unused_port()
    settings = {name: value.replace("{port}", str(nobody)) for name, value in settings.items()}
    limits = {"WEIR_RATE_LIMIT": "1000/s", "WEIR_RATE_LIMIT_SCOPE": "cluster"} if "WEIR_REDIS" in settings else {}
    server = gateway(upstream(), **limits, **settings)
    with server.connect() as wire:
        assert wire.get().status == 200
    if limits:
        server.wait_for_line("no connection can be made")
    assert SECRET not in shown(server)
    assert '"***"' in server.ask_admin("/config")[1] or limits
    code, checked, lines = run_gateway("check", WEIR_UPSTREAM="http://127.0.0.1:1", **limits, **settings)
    assert code == 0 and SECRET not in checked + "".join(lines)


@pytest.mark.parametrize("settings", [
    {"WEIR_ADMIN_TOKEN": f"{SECRET} with a blank"},
    {"WEIR_ADMIN_TOKEN": "short", "secret": "short"},
    {"WEIR_CONSUL_TOKEN": f"{SECRET}\x7f"},
    {"WEIR_REDIS": f"redis://user:{SECRET}@127.0.0.1:notaport"},
    {"WEIR_REDIS": f"gopher://user:{SECRET}@127.0.0.1:6379"},
    {"WEIR_UPSTREAM": f"http://user:{SECRET}@127.0.0.1:80"},
    {"WEIR_UPSTREAM": f"consul://user:{SECRET}@127.0.0.1:80/orders"},
], ids=lambda settings: next(iter(settings)))  # fmt: skip
def test_what_is_wrong_with_one_is_said_without_it(settings):
    settings = dict(settings)
    secret = settings.pop("secret", SECRET)
    code, lines = run_to_failure({"WEIR_UPSTREAM": "http://127.0.0.1:1", **settings}, binary=GATEWAY)
    assert code == 78
    (line,) = [line for line in lines if next(iter(settings)) in line]
    assert secret not in "".join(lines)


def test_a_token_is_sent_to_whom_it_is_for_and_to_nobody_else(gateway, upstream, tmp_path):
    """Consul's token does not go to endpoints that Consul lists, nor the admin token, nor what the cluster gave."""
    endpoint = upstream()
    entry = {"Node": {"Node": "n", "Address": "127.0.0.1"}, "Service": {"ID": "o", "Port": endpoint.port}, "Checks": []}
    consul = Upstream(repeating(answer(json.dumps([entry]).encode(), headers=["X-Consul-Index: 1"])))
    try:
        file = tmp_path / "weir.yaml"
        check = "check: {http: /healthz, interval: 1s}"
        source = f"consul://127.0.0.1:{consul.port}/orders"
        route = "routes: [{match: {path: /*}, upstream: orders}]"
        file.write_text(f"upstreams: {{orders: {{discover: {source}, {check}}}}}\n{route}\n")
        server = gateway(
            WEIR_UPSTREAM=None, WEIR_CONFIG=file, WEIR_CONSUL_TOKEN=SECRET, WEIR_ADMIN_TOKEN=f"admin-{SECRET}"
        )
        eventually(lambda: consul.requests, "Consul is asked")
        with server.connect() as wire:
            wire.send(request())
            assert wire.reply().status == 200
        endpoint.wait_for_requests(2)
        assert {seen.header("x-consul-token") for seen in consul.requests} == {SECRET}
        assert not [seen for seen in endpoint.requests if SECRET.encode() in seen.head]
    finally:
        consul.close()
