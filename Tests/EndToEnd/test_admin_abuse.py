# SPDX-License-Identifier: Apache-2.0
# The admin port in the hands of others: browsers that a strange page has sent, clients that never end what they began,
# bodies that are too large.

import contextlib
import json
import socket

import pytest

from polling import eventually
from wire import Wire, request

PAGES_THAT_WRITE = [
    ("GET", "/drain"),
    ("POST", "/drain"),
    ("POST", "/reload"),
    ("PUT", "/v1/agent/service/register"),
    ("PUT", "/v1/agent/check/pass/web"),
]
# What browsers say of a request that a page makes, and that no page can leave out.
FROM_A_PAGE = [
    "Origin: http://shop.example",
    "Origin: null",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    "Sec-Fetch-Site: same-origin",
]
REGISTRATION = json.dumps({"Name": "web"}).encode()


def ask(server, method, path, headers=(), host="localhost", body=b""):
    fields = [*headers, f"Content-Length: {len(body)}"] if body else list(headers)
    with Wire(("127.0.0.1", server.admin_port)) as wire:
        wire.send(request(path, method, fields, body, host=host))
        return wire.reply(method)


@pytest.fixture
def running(gateway, upstream, tmp_path):
    """A gateway that has all the pages."""

    def start(**settings):
        endpoint = upstream()
        file = tmp_path / "weir.yaml"
        file.write_text(
            f"upstreams: {{one: {{endpoints: [{endpoint.url}]}}}}\nroutes: [{{match: {{path: /*}}, upstream: one}}]\n"
        )
        return gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file, **settings)

    return start


@pytest.mark.parametrize("field", FROM_A_PAGE)
def test_a_page_in_a_browser_changes_nothing(running, field):
    server = running()
    for method, path in PAGES_THAT_WRITE:
        assert ask(server, method, path, [field], body=REGISTRATION if method == "PUT" else b"").status == 403, path
    # It may just have begun; one that drains is never ready again.
    eventually(lambda: ask(server, "GET", "/readyz").status == 200, "it is ready, and does not drain")
    assert ask(server, "GET", "/v1/agent/services").body == b"{}"
    # Reading is for everybody who can reach it.
    eventually(lambda: ask(server, "GET", "/readyz", [field]).status == 200, "it is ready, and does not drain")


REBOUND = ["rebound.example", "rebound.example:9901", "localhost.rebound.example", "127.0.0.1.example"]
OWN = ["localhost", "LOCALHOST:9901", "127.0.0.1", "127.0.0.1:9901", "[::1]:9901", "10.0.0.7"]


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_was_made_to_lead_to_loopback_changes_nothing(running, host):
    """DNS rebinding: to the browser the page's own name, so nothing says that it is another's."""
    server = running()
    for method, path in PAGES_THAT_WRITE:
        assert ask(server, method, path, host=host, body=REGISTRATION if method == "PUT" else b"").status == 403, path
    # It may just have begun; one that drains is never ready again.
    eventually(lambda: ask(server, "GET", "/readyz").status == 200, "it is ready, and does not drain")
    assert ask(server, "GET", "/v1/agent/services").body == b"{}"


@pytest.mark.parametrize("host", OWN)
def test_a_hook_of_the_pod_may_whatever_address_it_asks(running, host):
    server = running()
    assert ask(server, "POST", "/reload", host=host).status == 200
    assert ask(server, "PUT", "/v1/agent/service/register", host=host, body=REGISTRATION).status == 200


def test_who_has_the_token_may_from_a_page_and_by_any_name(running):
    server = running(WEIR_ADMIN_TOKEN="0123456789abcdef")
    token = "Authorization: Bearer 0123456789abcdef"
    for field in FROM_A_PAGE:
        assert ask(server, "POST", "/reload", [field, token], host="weir.example").status == 200
        assert ask(server, "POST", "/drain", [field]).status == 403
    assert ask(server, "POST", "/drain", host="rebound.example").status == 403
    # It may just have begun; one that drains is never ready again.
    eventually(lambda: ask(server, "GET", "/readyz").status == 200, "it is ready, and does not drain")


def standing_still(server, stack, data, count=300):
    """More connections than the admin port takes, which send this and nothing more."""
    for _ in range(count):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", server.admin_port)))
        client.sendall(data)


def test_clients_that_never_end_their_heads_keep_no_probe_away(running):
    server = running()
    with contextlib.ExitStack() as stack:
        standing_still(server, stack, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow:")
        assert server.ask_admin("/livez") == (200, "alive\n")
        assert server.ask_admin("/readyz")[0] == 200


@pytest.mark.parametrize("line", [b"PUT /v1/agent/service/register", b"GET /livez", b"GET /metrics", b"POST /reload"])
def test_clients_that_never_end_their_bodies_keep_no_probe_away(running, line):
    server = running()
    with contextlib.ExitStack() as stack:
        standing_still(server, stack, line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert server.ask_admin("/livez") == (200, "alive\n")
        assert server.ask_admin("/readyz")[0] == 200


def test_idle_connections_keep_no_probe_away(running):
    server = running()
    with contextlib.ExitStack() as stack:
        standing_still(server, stack, b"")
        assert server.ask_admin("/livez") == (200, "alive\n")


def test_a_body_that_is_too_large_is_refused(running):
    server = running()
    with Wire(("127.0.0.1", server.admin_port)) as wire:
        head = ["Content-Length: 1000000000"]
        wire.send(request("/v1/agent/service/register", "PUT", head, b"x" * 1000))
        assert wire.reply("PUT").status == 413
    nested = b"[" * 100_000
    assert ask(server, "PUT", "/v1/agent/service/register", body=nested).status == 400
    eventually(lambda: server.ask_admin("/livez")[0] == 200, "it lives")
