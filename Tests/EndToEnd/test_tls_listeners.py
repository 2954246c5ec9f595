# SPDX-License-Identifier: Apache-2.0
# What addresses have of their own, and what stands in front of a handshake: the PROXY protocol.

import socket
import ssl
import subprocess

import pytest

from certificates import Authority
from polling import PATIENCE_SECONDS
from server import Server, run_to_failure
from wire import request


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    for name in ("shop", "partners", "admin"):
        setattr(authority, name, authority.pair(name, f"{name}.test"))
    authority.client = authority.pair("orders", "orders.test")
    return authority


def own(pair, *options):
    certificate, key = pair
    return ";".join(["tls://127.0.0.1:0", f"cert={certificate}", f"key={key}", *options])


def shown(port, authority, host, identity=None, version=None, first=b""):
    """The name of the certificate that an address shows, and what it answers first."""
    context = ssl.create_default_context(cafile=authority.file)
    if identity:
        context.load_cert_chain(*identity)
    if version:
        context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    for piece in [first] if isinstance(first, bytes) else first:
        plain.sendall(piece)
    with context.wrap_socket(plain, server_hostname=host) as connection:
        ((_, name),) = connection.getpeercert()["subject"][0]
        connection.sendall(request("/readyz"))
        return name, connection.recv(1 << 16)


def test_each_address_has_its_own_certificates_and_modes(authority):
    certificate, key = authority.shop
    server = Server(
        {
            "WEIR_LISTEN": "tls://127.0.0.1:0,"
            + own(authority.partners, "client=required", f"client-ca={authority.file}", "min=1.3"),
            "WEIR_ADMIN_LISTEN": own(authority.admin),
            "WEIR_TLS_CERT": certificate,
            "WEIR_TLS_KEY": key,
        },
        quiet=True,
    )
    try:
        server._read_addresses(server.wait_for_line("serving"))
        shop, partners = (Server.port_of(address) for address in server.listen)
        old = ssl.TLSVersion.TLSv1_2
        assert shown(shop, authority, "shop.test", version=old)[0] == "shop"
        assert shown(partners, authority, "partners.test", authority.client)[0] == "partners"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(partners, authority, "partners.test")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(partners, authority, "partners.test", authority.client, version=old)
        name, answer = shown(server.admin_port, authority, "admin.test")
        assert (name, answer[:12]) == ("admin", b"HTTP/1.1 200")
    finally:
        server.signal()
        assert server.wait() == 0
        server.kill()


def test_a_wrong_file_of_an_address_is_said_with_the_address(authority, tmp_path):
    missing = tmp_path / "missing.crt"
    code, (line,) = run_to_failure({"WEIR_LISTEN": own((missing, authority.shop[1]))})
    assert code == 78
    assert "WEIR_LISTEN" in line and f"{missing}: No such file" in line


# The PROXY protocol


PROXIED = {"WEIR_PROXY_PROTOCOL": "true", "WEIR_TRUSTED_PROXIES": "127.0.0.0/8"}
HEADER = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@pytest.mark.parametrize("is_bytewise", [False, True])
@pytest.mark.parametrize(
    "header",
    [HEADER, SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 187])],
    ids=["version 1", "version 2"],
)
def test_the_header_stands_in_front_of_the_handshake(upstream, gateway, authority, header, is_bytewise):
    endpoint = upstream()
    server = gateway(endpoint, WEIR_LISTEN=own(authority.shop), **PROXIED)
    first = [bytes([byte]) for byte in header] if is_bytewise else header
    assert shown(server.port, authority, "shop.test", first=first)[1].startswith(b"HTTP/1.1 200")
    (seen,) = endpoint.requests
    assert seen.header("x-forwarded-for") == "203.0.113.7"
    assert seen.header("x-forwarded-proto") == "https"


def test_the_header_and_the_greeting_may_come_together(upstream, gateway, authority, tmp_path):
    server = gateway(upstream(), WEIR_LISTEN=own(authority.shop), **PROXIED)
    result = subprocess.run(
        [
            "curl", "-sS", "--haproxy-protocol", "--cacert", authority.file, "--resolve",
            f"shop.test:{server.port}:127.0.0.1", f"https://shop.test:{server.port}/",
        ],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_a_trusted_peer_without_a_header_is_closed_and_others_need_none(upstream, gateway, authority):
    server = gateway(upstream(), WEIR_LISTEN=own(authority.shop), **PROXIED)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(server.port, authority, "shop.test")
    others = {**PROXIED, "WEIR_TRUSTED_PROXIES": "10.0.0.0/8"}
    server = gateway(upstream(), WEIR_LISTEN=own(authority.shop), **others)
    assert shown(server.port, authority, "shop.test")[1].startswith(b"HTTP/1.1 200")
