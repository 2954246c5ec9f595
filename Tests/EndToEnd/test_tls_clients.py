# SPDX-License-Identifier: Apache-2.0
# Certificates of clients: who is let in, and what endpoints are told of them.

import hashlib
import socket
import ssl

import pytest

from certificates import Authority
from polling import PATIENCE_SECONDS
from wire import request

FAILED = 'weir_tls_handshake_failures_total{reason="certificate"}'
FIELD = "x-forwarded-client-cert"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.server = authority.pair("server", "shop.test")
    authority.client = authority.pair("orders", "orders.test")
    authority.stranger = Authority(authority.folder, "stranger").pair("evil", "orders.test")
    return authority


def settings_of(authority, mode, **settings):
    certificate, key = authority.server
    return {
        "WEIR_LISTEN": "tls://127.0.0.1:0",
        "WEIR_TLS_CERT": certificate,
        "WEIR_TLS_KEY": key,
        "WEIR_TLS_CLIENT": mode,
        "WEIR_TLS_CLIENT_CA": authority.file,
        **settings,
    }


def context_of(authority, pair):
    context = ssl.create_default_context(cafile=authority.file)
    if pair:
        context.load_cert_chain(*pair)
    return context


def ask(server, context, headers=(), session=None):
    """The answer's first bytes and the session; an error where the handshake is refused, which TLS 1.3 tells later."""
    plain = socket.create_connection(server.address, timeout=PATIENCE_SECONDS)
    with context.wrap_socket(plain, server_hostname="shop.test", session=session) as connection:
        connection.sendall(request(headers=headers))
        answer = connection.recv(1 << 16)
        return answer[:12], connection.session, connection.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_has_no_certificate_is_refused_where_one_is_required(serve, authority, version):
    server = serve(**settings_of(authority, "required"))
    for pair, is_let_in in [(authority.client, True), (None, False), (authority.stranger, False)]:
        context = context_of(authority, pair)
        context.maximum_version = version
        if is_let_in:
            assert ask(server, context)[0] == b"HTTP/1.1 200"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                ask(server, context)
    server.wait_for_metric(FAILED, 2)


def test_who_has_none_is_served_where_one_is_optional(serve, authority):
    server = serve(**settings_of(authority, "optional"))
    assert ask(server, context_of(authority, None))[0] == b"HTTP/1.1 200"
    assert ask(server, context_of(authority, authority.client))[0] == b"HTTP/1.1 200"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(server, context_of(authority, authority.stranger))


def test_endpoints_are_told_who_it_is_and_clients_cannot_say_so(upstream, gateway, authority):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority, "optional"))
    # No digest begins so.
    names = ("X-Forwarded-Client-Cert", "X_Forwarded_Client_Cert", "X-Forwarded_Client-Cert")
    claims = [f"{name}: Hash=claimed" for name in names]
    context = context_of(authority, authority.client)
    # The same head again, by which what goes on is kept, and then that of a client without a certificate.
    for _ in range(3):
        ask(server, context, claims)
    ask(server, context_of(authority, None), claims)
    der = ssl.PEM_cert_to_DER_cert(authority.client[0].read_text())
    expected = f'Hash={hashlib.sha256(der).hexdigest()};Subject="CN=orders";DNS=orders.test'
    assert [seen.values(FIELD) for seen in endpoint.requests] == [[expected]] * 3 + [[]]
    assert not any(b"Hash=claimed" in seen.head for seen in endpoint.requests)


def test_a_plain_connection_cannot_say_so_either(upstream, gateway):
    endpoint = upstream()
    with gateway(endpoint).connect() as wire:
        wire.get("/", headers=["X-Forwarded-Client-Cert: Hash=00"])
    assert endpoint.requests[0].values(FIELD) == []


def test_a_trusted_proxys_word_stands_in_front_of_ours(upstream, gateway, authority):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority, "required", WEIR_TRUSTED_PROXIES="loopback"))
    ask(server, context_of(authority, authority.client), ["X-Forwarded-Client-Cert: Hash=ab"])
    first, second = endpoint.requests[0].values(FIELD)
    assert first == "Hash=ab"
    assert 'Subject="CN=orders"' in second


def test_a_resumed_session_is_still_known_and_not_taken_where_the_mode_is_another(upstream, gateway, authority, tmp_path):
    keys = tmp_path / "ticket.key"
    keys.write_bytes(bytes(range(80)))
    endpoint = upstream()
    optional = gateway(endpoint, **settings_of(authority, "optional", WEIR_TLS_TICKET_KEYS=keys))
    context = context_of(authority, authority.client)
    _, session, _ = ask(optional, context)
    answer, _, is_resumed = ask(optional, context, session=session)
    assert (answer, is_resumed) == (b"HTTP/1.1 200", True)
    assert 'Subject="CN=orders"' in endpoint.requests[-1].values(FIELD)[0]
    anonymous = context_of(authority, None)
    _, session, _ = ask(optional, anonymous)
    required = gateway(endpoint, **settings_of(authority, "required", WEIR_TLS_TICKET_KEYS=keys))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(required, anonymous, session=session)


def test_the_admin_port_asks_for_none(serve, authority):
    settings = settings_of(authority, "required", WEIR_ADMIN_LISTEN="tls://127.0.0.1:0")
    server = serve(quiet=True, **settings)
    server._read_addresses(server.wait_for_line("serving"))
    plain = socket.create_connection(("127.0.0.1", server.admin_port), timeout=PATIENCE_SECONDS)
    with context_of(authority, None).wrap_socket(plain, server_hostname="shop.test") as connection:
        connection.sendall(request("/readyz"))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_limits_count_by_who_it_is(serve, authority):
    server = serve(**settings_of(authority, "optional", WEIR_RATE_LIMIT="1/h;by=subject"))
    other = authority.pair("stock", "stock.test")
    for pair in (authority.client, other, None):
        statuses = [ask(server, context_of(authority, pair))[0] for _ in range(2)]
        assert statuses == [b"HTTP/1.1 200", b"HTTP/1.1 429"], pair


def test_routes_are_chosen_by_who_it_is(routed, upstream, authority):
    orders, audit, others = upstream(), upstream(), upstream()
    server = routed(
        [
            '- {match: {client: {subject: "CN=orders"}}, upstream: orders}',
            "- {match: {client: {host: {prefix: audit.}}}, upstream: audit}",
            "- {match: {client: {subject: {present: false}}}, upstream: others}",
        ],
        {"orders": orders, "audit": audit, "others": others},
        **settings_of(authority, "optional"),
    )
    pairs = [authority.client, authority.pair("a", "audit.test"), None, authority.pair("stock", "stock.test")]
    # The same head from each, again and again: it is nobody's route for good.
    answers = [[ask(server, context_of(authority, pair))[0] for pair in pairs] for _ in range(3)]
    assert answers == [[b"HTTP/1.1 200"] * 3 + [b"HTTP/1.1 404"]] * 3
    assert [len(endpoint.requests) for endpoint in (orders, audit, others)] == [3, 3, 3]
