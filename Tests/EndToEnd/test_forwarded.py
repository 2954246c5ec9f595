# SPDX-License-Identifier: Apache-2.0
# What the gateway says about who asks, and whom it believes.

import json
import socket

import pytest

from polling import eventually
from wire import Wire, request

OWN = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]
CLAIMS = [
    "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
    "Forwarded: for=203.0.113.7;proto=https;host=shop.example",
]  # fmt: skip


def seen_by(upstream, gateway, headers=(), host="test", version="1.1", **settings):
    endpoint = upstream()
    with gateway(endpoint, **settings).connect() as wire:
        assert wire.get("/", headers=headers, host=host, version=version).status == 200
    (seen,) = endpoint.requests
    return {name: ", ".join(seen.values(name)) for name in OWN}


def test_the_peer_is_told(upstream, gateway):
    assert seen_by(upstream, gateway) == {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "test",
        "forwarded": 'for=127.0.0.1;proto=http;host="test"',
    }


@pytest.mark.parametrize("trusted", [None, "10.0.0.0/8,unix"])
def test_nobody_is_believed_who_is_not_trusted(upstream, gateway, trusted):
    assert seen_by(upstream, gateway, CLAIMS, WEIR_TRUSTED_PROXIES=trusted) == {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "test",
        "forwarded": 'for=127.0.0.1;proto=http;host="test"',
    }


@pytest.mark.parametrize("trusted", ["loopback", "127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_a_trusted_proxys_word_goes_on_with_its_own_address_behind(upstream, gateway, trusted):
    assert seen_by(upstream, gateway, CLAIMS, WEIR_TRUSTED_PROXIES=trusted) == {
        "x-forwarded-for": "203.0.113.7, 127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "shop.example",
        # The client was found by the other field; this one may be its own.
        "forwarded": 'for=127.0.0.1;proto=http;host="test"',
    }


def test_a_trusted_proxys_forwarded_goes_on_where_it_is_what_it_wrote(upstream, gateway):
    lines = ["Forwarded: for=203.0.113.7;proto=https;host=shop.example"]
    seen = seen_by(upstream, gateway, lines, WEIR_TRUSTED_PROXIES="loopback")
    assert seen["forwarded"] == (
        'for=203.0.113.7;proto=https;host=shop.example, for=127.0.0.1;proto=http;host="test"'
    )


@pytest.mark.parametrize("trusted", [None, "loopback"])
def test_other_fields_that_name_the_client_are_a_trusted_proxys_only(upstream, gateway, trusted):
    endpoint = upstream()
    with gateway(endpoint, WEIR_TRUSTED_PROXIES=trusted).connect() as wire:
        wire.send(request(headers=["X-Real-IP: 203.0.113.7", "X-Forwarded-Port: 443"]))
        assert wire.reply().status == 200
    (seen,) = endpoint.requests
    wanted = ("203.0.113.7", "443") if trusted else (None, None)
    assert (seen.header("x-real-ip"), seen.header("x-forwarded-port")) == wanted


LOOKALIKES = [
    "X_Forwarded_For", "x_forwarded-for", "X-Forwarded_Proto", "X_FORWARDED_HOST", "X_Forwarded-Port", "X_Real_IP",
    "X_Request_Id", "Content_Length", "Transfer_Encoding", "Proxy_Authorization", "Keep_Alive",
]  # fmt: skip


@pytest.mark.parametrize("trusted", [None, "loopback"])
def test_names_that_a_service_may_take_for_the_gateways_words_do_not_go_on(upstream, gateway, trusted):
    endpoint = upstream()
    with gateway(endpoint, WEIR_TRUSTED_PROXIES=trusted).connect() as wire:
        wire.send(request(headers=[f"{name}: 203.0.113.7" for name in LOOKALIKES] + ["X_Own: yes", "x_forwarded: no"]))
        assert wire.reply().status == 200
    (seen,) = endpoint.requests
    assert [name for name, _ in seen.headers if "_" in name] == ["X_Own", "x_forwarded"]


def test_several_lines_are_one_list(upstream, gateway):
    lines = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.2, 10.0.0.1"]
    seen = seen_by(upstream, gateway, lines, WEIR_TRUSTED_PROXIES="loopback")
    assert seen["x-forwarded-for"] == "203.0.113.7, 198.51.100.2, 10.0.0.1, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"


def test_a_trusted_proxy_that_says_nothing_is_the_client(upstream, gateway):
    assert seen_by(upstream, gateway, WEIR_TRUSTED_PROXIES="loopback")["x-forwarded-for"] == "127.0.0.1"


def test_an_ipv6_peer_is_told_in_brackets_where_they_belong(upstream, gateway):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_LISTEN="[::1]:0")
    with Wire(("::1", server.port)) as wire:
        assert wire.get("/").status == 200
    (seen,) = endpoint.requests
    assert seen.header("x-forwarded-for") == "::1"
    assert seen.header("forwarded") == 'for="[::1]";proto=http;host="test"'


def test_a_peer_on_a_unix_socket_is_unknown(upstream, gateway, tmp_path):
    endpoint = upstream()
    gateway(endpoint, WEIR_LISTEN=f"unix:{tmp_path}/weir.sock")
    with Wire(f"{tmp_path}/weir.sock") as wire:
        assert wire.get("/").status == 200
    (seen,) = endpoint.requests
    assert seen.header("x-forwarded-for") == "unknown"
    assert seen.header("forwarded") == 'for=unknown;proto=http;host="test"'


@pytest.mark.parametrize("host", ["test:8080", "[::1]", "[::1]:80", "xn--bcher-kva.example", "a_b.example"])
def test_the_host_stands_in_quotes_as_it_came(upstream, gateway, host):
    seen = seen_by(upstream, gateway, host=host)
    assert seen["x-forwarded-host"] == host
    assert seen["forwarded"] == f'for=127.0.0.1;proto=http;host="{host}"'


@pytest.mark.parametrize("host", ['a"b', "a\\b", 'a";for=1.2.3.4'])
def test_a_host_cannot_break_out_of_its_quotes(upstream, gateway, host):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        assert wire.get("/", host=host).status == 400
    assert endpoint.requests == []


# Field, value, and who the client is in the access log when loopback and 10.0.0.0/8 are trusted.
CLIENTS = [
    ("X-Forwarded-For", "203.0.113.7", "203.0.113.7"),
    ("X-Forwarded-For", "1.2.3.4, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
    ("X-Forwarded-For", "10.0.0.2, 10.0.0.1", "10.0.0.2"),
    ("X-Forwarded-For", "203.0.113.7, unknown", "127.0.0.1"),
    ("X-Forwarded-For", "203.0.113.7, junk, 10.0.0.1", "10.0.0.1"),
    ("X-Forwarded-For", "203.0.113.7:4711", "203.0.113.7"),
    ("X-Forwarded-For", "[2001:db8::7]:4711", "2001:db8::7"),
    ("X-Forwarded-For", "2001:db8::7", "2001:db8::7"),
    ("Forwarded", 'for="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
    ("Forwarded", "for=1.2.3.4, for=203.0.113.7;by=x, For=10.0.0.1", "203.0.113.7"),
    ("Forwarded", "for=_hidden, for=10.0.0.1", "10.0.0.1"),
    ("Forwarded", 'for="203.0.113.7', "127.0.0.1"),
]


@pytest.mark.parametrize("name, value, client", CLIENTS)
def test_the_client_is_the_last_one_that_is_not_trusted(upstream, gateway, tmp_path, name, value, client):
    log = tmp_path / "access.log"
    server = gateway(upstream(), WEIR_ACCESS_LOG=log, WEIR_TRUSTED_PROXIES="loopback,10.0.0.0/8")
    with server.connect() as wire:
        assert wire.get("/", headers=[f"{name}: {value}"]).status == 200
    text = eventually(lambda: log.exists() and log.read_text(), "a line")
    assert json.loads(text)["client"] == client


def test_a_client_is_not_its_own_witness(upstream, gateway, tmp_path):
    log = tmp_path / "access.log"
    server = gateway(upstream(), WEIR_ACCESS_LOG=log)
    with server.connect() as wire:
        wire.send(request("/", headers=["X-Forwarded-For: 203.0.113.7"]))
        assert wire.reply().status == 200
    text = eventually(lambda: log.exists() and log.read_text(), "a line")
    assert json.loads(text)["client"] == "127.0.0.1"


def test_an_endpoint_on_a_unix_socket_is_reached(upstream, gateway, tmp_path):
    endpoint = upstream(family=socket.AF_UNIX, address=str(tmp_path / "endpoint.sock"))
    with gateway(endpoint).connect() as wire:
        assert wire.get("/", version="1.0", host=None).status == 200
    assert endpoint.requests[0].header("host") == "localhost"
