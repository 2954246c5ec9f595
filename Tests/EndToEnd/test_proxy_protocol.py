# SPDX-License-Identifier: Apache-2.0
# The PROXY protocol in front of the gateway, from those who are trusted alone, and behind it.

import ipaddress
import json
import struct

import pytest

from polling import eventually
from upstream import answer
from wire import Wire, request

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TRUSTED = {"WEIR_PROXY_PROTOCOL": "true", "WEIR_TRUSTED_PROXIES": "loopback"}


def v1(source, target="192.0.2.1", ports=(4711, 80)):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {target} {ports[0]} {ports[1]}\r\n".encode()


def v2(source=None, target="192.0.2.1", ports=(4711, 80), command=1, options=b""):
    if source is None:
        return SIGNATURE + bytes([0x20 | command, 0]) + struct.pack("!H", len(options)) + options
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(target)
    addresses = first.packed + second.packed + struct.pack("!HH", *ports) + options
    family = 0x21 if first.version == 6 else 0x11
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


HEADERS = {
    "v1 IPv4": (v1("203.0.113.7"), "203.0.113.7"),
    "v1 IPv6": (v1("2001:db8::7", "2001:db8::1"), "2001:db8::7"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 unknown with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
    "v2 IPv4": (v2("203.0.113.7"), "203.0.113.7"),
    "v2 IPv6": (v2("2001:db8::7", "2001:db8::1"), "2001:db8::7"),
    "v2 with options": (v2("203.0.113.7", options=b"\x04\x00\x03abc"), "203.0.113.7"),
    "v2 local": (v2(command=0), "127.0.0.1"),
    "v2 local with addresses": (v2("203.0.113.7", command=0), "127.0.0.1"),
    "v2 unspecified": (v2(), "127.0.0.1"),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("is_bytewise", [False, True])
def test_the_client_is_the_one_that_the_header_names(upstream, gateway, name, is_bytewise):
    header, client = HEADERS[name]
    endpoint = upstream()
    with gateway(endpoint, **TRUSTED).connect() as wire:
        for piece in ([bytes([byte]) for byte in header] if is_bytewise else [header]):
            wire.send(piece)
        for _ in range(2):
            assert wire.get().status == 200
    assert [seen.header("x-forwarded-for") for seen in endpoint.requests] == [client] * 2


def test_header_and_request_may_come_together(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint, **TRUSTED).connect() as wire:
        wire.send(v1("203.0.113.7") + request("/a") + request("/b"))
        assert [wire.reply().status, wire.reply().status] == [200, 200]
    assert endpoint.targets == ["/a", "/b"]


def test_whom_the_header_names_is_not_trusted_for_having_been_named(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint, **TRUSTED).connect() as wire:
        wire.send(v1("203.0.113.7"))
        assert wire.get(headers=["X-Forwarded-For: 1.2.3.4"]).status == 200
    assert endpoint.requests[0].header("x-forwarded-for") == "203.0.113.7"


def test_the_access_log_names_the_client(upstream, gateway, tmp_path):
    log = tmp_path / "access.log"
    with gateway(upstream(), WEIR_ACCESS_LOG=log, **TRUSTED).connect() as wire:
        wire.send(v2("203.0.113.7"))
        assert wire.get().status == 200
    text = eventually(lambda: log.exists() and log.read_text(), "a line")
    assert json.loads(text)["client"] == "203.0.113.7"


WRONG = {
    "none at all": request(),
    "v1 without addresses": b"PROXY TCP4\r\n",
    "v1 of the wrong family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "v1 with a bad port": b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 80\r\n",
    "v1 with a bad address": b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n",
    "v1 too long": b"PROXY TCP4 " + b"1" * 200,
    "v1 with LF alone": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + request(),
    "v2 of version 3": SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
    "v2 with a strange command": SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
    "v2 too short for its family": SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    "v2 that is endless": SIGNATURE + b"\x21\x11\xff\xff" + bytes(70_000),
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_trusted_peer_that_sends_no_header_is_not_served(upstream, gateway, name):
    endpoint = upstream()
    server = gateway(endpoint, **TRUSTED)
    with server.connect() as wire:
        wire.send(WRONG[name])
        assert wire.read_to_end() == b""
    assert endpoint.requests == []
    assert server.metric("weir_requests_total") == 0


def test_a_header_that_does_not_come_in_time_ends_the_connection(upstream, gateway):
    server = gateway(upstream(), WEIR_HEAD_TIMEOUT="300ms", **TRUSTED)
    with server.connect() as silent, server.connect() as slow:
        slow.send(b"PROXY TC")
        assert (silent.read_to_end(), slow.read_to_end()) == (b"", b"")
    assert server.metric('weir_timeouts_total{kind="head"}') == 2


@pytest.mark.parametrize("header", [v1("203.0.113.7"), v2("203.0.113.7")])
@pytest.mark.parametrize("settings", [
    {"WEIR_PROXY_PROTOCOL": "true", "WEIR_TRUSTED_PROXIES": "10.0.0.0/8"},
    {"WEIR_TRUSTED_PROXIES": "loopback"},
])  # fmt: skip
def test_a_header_of_somebody_else_is_a_bad_request(upstream, gateway, header, settings):
    endpoint = upstream()
    with gateway(endpoint, **settings).connect() as wire:
        wire.send(header + request())
        assert wire.reply().status == 400
    assert endpoint.requests == []


@pytest.mark.parametrize("trusted", ["unix", "10.0.0.0/8"])
def test_who_is_not_trusted_needs_no_header(upstream, gateway, trusted):
    with gateway(upstream(), WEIR_PROXY_PROTOCOL="true", WEIR_TRUSTED_PROXIES=trusted).connect() as wire:
        assert wire.get().status == 200


def test_the_admin_port_takes_no_header(upstream, gateway):
    assert gateway(upstream(), **TRUSTED).ask_admin("/livez")[0] == 200


# To endpoints


def read_v1(peer):
    return peer.take_until(b"\r\n")


def read_v2(peer):
    head = peer.take(16)
    assert head.startswith(SIGNATURE)
    return head + peer.take(struct.unpack("!H", head[14:])[0])


READERS = {"v1": read_v1, "v2": read_v2}


def behind(version, headers):
    def script(peer):
        headers.append(READERS[version](peer))
        while True:
            peer.request()
            peer.send(answer())

    return script


@pytest.mark.parametrize("version", READERS)
def test_an_endpoint_is_told_by_header_who_asks(upstream, gateway, version):
    headers = []
    endpoint = upstream(behind(version, headers))
    with gateway(endpoint, WEIR_UPSTREAM_PROXY_PROTOCOL=version).connect() as wire:
        source, target = wire.socket.getsockname(), wire.socket.getpeername()
        for _ in range(3):
            assert wire.get().status == 200
    asked = [headers[seen.connection] for seen in endpoint.requests]
    own = {"v1": v1, "v2": v2}[version]
    # The target is the address that the client connected to, or the endpoint's.
    targets = [target, ("127.0.0.1", endpoint.port)]
    for header in asked:
        assert header in [own(source[0], address, (source[1], port)) for address, port in targets]


@pytest.mark.parametrize("version", READERS)
def test_a_connection_that_speaks_for_one_client_serves_no_other(upstream, gateway, version):
    headers = []
    endpoint = upstream(behind(version, headers))
    server = gateway(endpoint, WEIR_UPSTREAM_PROXY_PROTOCOL=version)
    with server.connect() as first, server.connect() as second:
        for wire in (first, second, first, second):
            assert wire.get().status == 200
    assert len({seen.connection for seen in endpoint.requests}) == 4
    assert {seen.header("connection") for seen in endpoint.requests} == {"close"}


@pytest.mark.parametrize("version", READERS)
def test_the_client_behind_a_trusted_proxy_is_told_on(upstream, gateway, version):
    headers = []
    endpoint = upstream(behind(version, headers))
    with gateway(endpoint, WEIR_UPSTREAM_PROXY_PROTOCOL=version, **TRUSTED).connect() as wire:
        wire.send(v2("203.0.113.7"))
        assert wire.get().status == 200
    header = headers[endpoint.requests[0].connection]
    assert (b"203.0.113.7" if version == "v1" else bytes([203, 0, 113, 7])) in header


@pytest.mark.parametrize("version", READERS)
def test_a_client_without_an_address_is_unknown(upstream, gateway, version, tmp_path):
    headers = []
    endpoint = upstream(behind(version, headers))
    gateway(endpoint, WEIR_UPSTREAM_PROXY_PROTOCOL=version, WEIR_LISTEN=f"unix:{tmp_path}/weir.sock")
    with Wire(f"{tmp_path}/weir.sock") as wire:
        assert wire.get().status == 200
    header = headers[endpoint.requests[0].connection]
    if version == "v1":
        assert header.startswith(b"PROXY UNKNOWN")
    else:
        assert header[13] == 0 or header[12] == 0x20
