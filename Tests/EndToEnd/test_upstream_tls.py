# SPDX-License-Identifier: Apache-2.0
# TLS with endpoints, whose other side is Python's ssl or openssl's s_server: whom the gateway takes for its upstream, and
# whom it refuses and says why.

import contextlib
import json
import shutil
import ssl
import subprocess

import pytest

import control
from certificates import Authority, openssl
from polling import eventually
from secure_upstream import SecureUpstream, server_context
from server import GATEWAY, run_to_failure
from upstream import answer, repeating, serve_all, unused_port
from wire import request

FAILURES = "weir_upstream_tls_handshake_failures_total"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.shop = authority.pair("shop", "shop.test")
    authority.client = authority.pair("gateway", "gateway.test")
    authority.stranger = Authority(authority.folder, "stranger")
    return authority


@pytest.fixture
def secure():
    """Starts endpoints that speak TLS."""
    endpoints = []

    def start(pair, script=serve_all, clients=None, highest=None, **options):
        endpoints.append(SecureUpstream(server_context(pair, clients, highest), script, **options))
        return endpoints[-1]

    yield start
    for endpoint in endpoints:
        endpoint.close()


def trusting(authority, **settings):
    return {"WEIR_UPSTREAM_TLS_CA": authority.file, "WEIR_UPSTREAM_TLS_SERVER_NAME": "shop.test", **settings}


def expect_refusal(server, reason, text=""):
    """A request is answered 502, and a line of the log says why."""
    with server.connect() as wire:
        reply = wire.get()
    assert reply.status == 502
    assert json.loads(reply.body)["reason"] == "upstream_tls"
    line = json.loads(server.wait_for_line("no TLS with endpoint"))
    assert (line["level"], line["reason"]) == ("warning", reason), line
    assert text in line["detail"]
    server.wait_for_metric(f'{FAILURES}{{upstream="default",reason="{reason}"}}', 1)
    return line


def handshakes(resumed):
    return f'weir_upstream_tls_handshakes_total{{upstream="default",resumed="{resumed}"}}'


def standing(server):
    """The server, when the connection stands by which it learns whether somebody answers."""
    server.wait_for_metric(handshakes("false"), 1)
    return server


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_go_on_by_tls(gateway, secure, authority, version):
    endpoint = secure(authority.shop, highest=version)
    server = standing(gateway(endpoint, **trusting(authority)))
    with server.connect() as wire:
        for body in (b"", b"x" * 200_000):
            method = "POST" if body else "GET"
            headers = [f"Content-Length: {len(body)}"] if body else []
            wire.send(request("/a?b=c", method=method, headers=headers, body=body))
            assert wire.reply(method).body == b"ok"
    first, second = endpoint.wait_for_requests(2)
    assert (first.target, second.body) == ("/a?b=c", b"x" * 200_000)
    assert set(endpoint.names) == {"shop.test"}
    # That of the start.
    assert endpoint.handshakes == 1
    assert server.metric(handshakes("false")) == 1


def test_a_large_response_arrives_as_it_was_sent(gateway, secure, authority):
    body = bytes(range(256)) * 20_000
    server = gateway(secure(authority.shop, repeating(answer(body))), **trusting(authority))
    with server.connect() as wire:
        for _ in range(3):
            assert wire.get().body == body


def test_an_upgrade_becomes_a_tunnel(gateway, secure, authority):
    def echoing(peer):
        peer.request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n")
        while data := peer.socket.recv(1 << 16):
            peer.send(data)
        # The end of one half is told, and leaves the other.
        peer.send(b"bye")
        peer.socket.unwrap()

    server = gateway(secure(authority.shop, echoing), **trusting(authority))
    with server.connect() as wire:
        wire.send(request("/", headers=["Connection: Upgrade", "Upgrade: test"]))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        data = bytes(range(256)) * 1000
        wire.send(data)
        received = wire.rest
        while len(received) < len(data):
            received += wire.socket.recv(1 << 16)
        assert received == data
        wire.end()
        rest = b""
        while piece := wire.socket.recv(1 << 16):
            rest += piece
        assert rest == b"bye"


def test_a_connection_that_is_not_kept_is_ended_by_both(gateway, secure, authority):
    ends = []

    def script(peer):
        peer.request()
        peer.send(answer(headers=["Connection: close"]))
        # An end that the gateway does not tell is an error.
        ends.append(peer.socket.unwrap())

    server = gateway(secure(authority.shop, script), **trusting(authority))
    with server.connect() as wire:
        assert wire.get().status == 200
    eventually(lambda: ends, "the gateway tells its end")


def test_curl_from_tls_to_https(gateway, secure, authority, curl):
    certificate, key = authority.shop
    settings = {"WEIR_LISTEN": "tls://127.0.0.1:0", "WEIR_TLS_CERT": certificate, "WEIR_TLS_KEY": key}
    server = gateway(secure(authority.shop, repeating(answer(b"through"))), **trusting(authority, **settings))
    url = f"https://shop.test:{server.port}/"
    resolve = f"shop.test:{server.port}:127.0.0.1"
    assert curl("--cacert", str(authority.file), "--resolve", resolve, url) == b"through"


# Whom the gateway refuses


def test_an_expired_certificate_is_refused(gateway, secure, authority):
    expired = authority.pair("expired", "shop.test", days=-1)
    line = expect_refusal(gateway(secure(expired), **trusting(authority)), "expired", "has expired")
    assert "(CN=expired)" in line["detail"]


def test_a_certificate_of_another_name_is_refused(gateway, secure, authority):
    other = authority.pair("other", "other.test")
    server = gateway(secure(other), **trusting(authority))
    expect_refusal(server, "wrong_name", "is not for shop.test, but for other.test")


def test_the_host_of_an_endpoint_is_its_name(gateway, secure, authority, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost shop.test other.test\n")
    endpoint = secure(authority.shop)
    for name, status in [("shop.test", 200), ("other.test", 502)]:
        url = f"https://{name}:{endpoint.port}"
        server = gateway(url, hosts=hosts, WEIR_UPSTREAM_TLS_CA=authority.file)
        eventually(lambda: name in endpoint.names, "the endpoint is asked by its name")
        with server.connect() as wire:
            assert wire.get().status == status
    server.wait_for_line("is not for other.test")


def test_an_address_must_be_in_the_certificate(gateway, secure, authority):
    server = gateway(secure(authority.shop), WEIR_UPSTREAM_TLS_CA=authority.file)
    with server.connect() as wire:
        assert wire.get().status == 200


def test_a_self_signed_certificate_is_refused(gateway, secure, authority):
    pair = (authority.stranger.file, authority.stranger.key)
    expect_refusal(gateway(secure(pair), **trusting(authority)), "self_signed")


def test_an_unknown_issuer_is_refused(gateway, secure, authority):
    pair = authority.stranger.pair("unknown", "shop.test")
    expect_refusal(gateway(secure(pair), **trusting(authority)), "unknown_issuer", "CN=stranger")


def test_public_cas_are_trusted_unless_others_are_named(gateway, secure, authority):
    server = gateway(secure(authority.shop), WEIR_UPSTREAM_TLS_SERVER_NAME="shop.test")
    expect_refusal(server, "unknown_issuer")


def test_who_has_only_the_name_of_a_ca_is_refused(gateway, secure, authority, tmp_path):
    pair = Authority(tmp_path, "ca").pair("forged", "shop.test", names_key=False)
    line = expect_refusal(gateway(secure(pair), **trusting(authority)), "certificate", "its certificate (CN=forged)")
    assert "signature" in line["detail"]


def test_whom_the_system_trusts_is_accepted(gateway, secure, authority):
    server = gateway(secure(authority.shop), cas=authority.file, WEIR_UPSTREAM_TLS_SERVER_NAME="shop.test")
    with standing(server).connect() as wire:
        assert wire.get().status == 200
    # A CA that is named is trusted alone.
    others = gateway(secure(authority.shop), cas=authority.file, **trusting(authority.stranger))
    expect_refusal(others, "unknown_issuer")


def test_a_certificate_that_is_revoked_by_its_staple_is_refused(gateway, authority, tmp_path):
    certificate, key = authority.pair("revoked", "shop.test")
    serial = openssl("x509", "-in", certificate, "-noout", "-serial").decode().strip().split("=")[1]
    index = tmp_path / "index.txt"
    for status, code in [("V\t400101000000Z\t", 200), ("R\t400101000000Z\t260101000000Z", 502)]:
        index.write_text(f"{status}\t{serial}\tunknown\t/CN=revoked\n")
        staple = tmp_path / "staple.der"
        openssl(
            "ocsp", "-index", index, "-CA", authority.file, "-rsigner", authority.file, "-rkey", authority.key,
            "-issuer", authority.file, "-cert", certificate, "-respout", staple, "-ndays", 1,
        )  # fmt: skip
        port = unused_port()
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key]
        command += ["-status_file", staple, "-www", "-quiet"]
        with subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL) as process:
            try:
                server = gateway(f"https://127.0.0.1:{port}", **trusting(authority))
                if code == 502:
                    # It may be asked before it listens.
                    server.wait_for_metric(f'{FAILURES}{{upstream="default",reason="revoked"}}', 1)
                    expect_refusal(server, "revoked")
                else:
                    with standing(server).connect() as wire:
                        assert wire.get().status == code
            finally:
                process.kill()


def truncated_certificate(context, share):
    """A script that ends the connection in the middle of the server's certificate."""

    def script(peer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        peer.receive()
        incoming.write(peer.rest)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        flight = outgoing.read()
        peer.send(flight[: int(len(flight) * share)])

    return script


@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_a_handshake_that_is_cut_short_is_refused(gateway, upstream, authority, share):
    endpoint = upstream(truncated_certificate(server_context(authority.shop), share))
    expect_refusal(gateway(f"https://127.0.0.1:{endpoint.port}", **trusting(authority)), "closed")


def damaged_certificate(context, lost_bytes):
    """A script that shows a certificate whose end is missing, in whole messages: those of TLS 1.2, which are in clear."""

    def script(peer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        peer.receive()
        incoming.write(peer.rest)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        flight, messages = outgoing.read(), b""
        while flight:
            size = int.from_bytes(flight[3:5], "big")
            messages, flight = messages + flight[5 : 5 + size], flight[5 + size :]
        damaged = b""
        while messages:
            size = int.from_bytes(messages[1:4], "big")
            kind, body, messages = messages[0], messages[4 : 4 + size], messages[4 + size :]
            if kind == 11:
                # The length of all, that of the first, and the first.
                body = body[6:-lost_bytes]
                body = b"".join(count.to_bytes(3, "big") for count in (len(body) + 3, len(body))) + body
            damaged += bytes([kind]) + len(body).to_bytes(3, "big") + body
        peer.send(b"\x16\x03\x03" + len(damaged).to_bytes(2, "big") + damaged)
        peer.wait_for_end()

    return script


@pytest.mark.parametrize("lost_bytes", [1, 300])
def test_a_certificate_that_is_cut_short_is_refused(gateway, upstream, authority, lost_bytes):
    context = server_context(authority.shop, highest=ssl.TLSVersion.TLSv1_2)
    endpoint = upstream(damaged_certificate(context, lost_bytes))
    expect_refusal(gateway(f"https://127.0.0.1:{endpoint.port}", **trusting(authority)), "certificate", "its certificate cannot be read: ")


def test_an_endpoint_without_tls_is_refused(gateway, upstream, authority):
    endpoint = upstream(lambda peer: (peer.receive(), peer.send(answer(status="400 Bad Request"))))
    server = gateway(f"https://127.0.0.1:{endpoint.port}", **trusting(authority))
    expect_refusal(server, "plain_http", "answers without TLS")


def test_an_endpoint_of_an_old_version_is_refused(gateway, secure, authority):
    endpoint = secure(authority.shop, highest=ssl.TLSVersion.TLSv1_2)
    expect_refusal(gateway(endpoint, **trusting(authority, WEIR_UPSTREAM_TLS_MIN="1.3")), "version")


def test_an_endpoint_that_does_not_shake_hands_is_given_up(gateway, upstream, authority):
    endpoint = upstream(lambda peer: peer.wait_for_end())
    settings = trusting(authority, WEIR_UPSTREAM_CONNECT_TIMEOUT="300ms")
    server = gateway(f"https://127.0.0.1:{endpoint.port}", **settings)
    with server.connect() as wire:
        reply = wire.get()
    assert (reply.status, json.loads(reply.body)["reason"]) == (502, "upstream_connect_timeout")
    server.wait_for_metric(f'{FAILURES}{{upstream="default",reason="timeout"}}', 1)
    server.wait_for_line('"the handshake took too long"')


# Certificates of ours


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_is_asked_for_is_shown(gateway, secure, authority, version):
    certificate, key = authority.client
    endpoint = secure(authority.shop, clients=authority.file, highest=version)
    settings = trusting(authority, WEIR_UPSTREAM_TLS_CERT=certificate, WEIR_UPSTREAM_TLS_KEY=key)
    server = gateway(endpoint, **settings)
    with server.connect() as wire:
        assert wire.get().status == 200
    # One whose handshake took too long on a busy machine is there as well, without TLS.
    shown = [one.socket.getpeercert() for one in endpoint.connections if isinstance(one.socket, ssl.SSLSocket)]
    assert shown[-1]["subject"] == ((("commonName", "gateway"),),)
    assert server.metric(f'weir_upstream_tls_certificate_expiry_seconds{{certificate="{certificate}"}}') > 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_that_one_is_asked_for_is_said_where_there_is_none(gateway, secure, authority, version):
    endpoint = secure(authority.shop, clients=authority.file, highest=version)
    expect_refusal(gateway(endpoint, **trusting(authority)), "client_certificate", "asks for a certificate")


# What a refusal means for requests


def test_a_request_goes_to_another_endpoint_where_one_is_refused(gateway, secure, authority):
    expired, good = secure(authority.pair("old", "shop.test", days=-1)), secure(authority.shop)
    server = gateway(expired, good, **trusting(authority, WEIR_UPSTREAM_BALANCE="round-robin"))
    with server.connect() as wire:
        for count in range(6):
            # Nothing of it was sent, so that goes for those as well that must not be sent twice.
            wire.send(request(method="POST", headers=["Content-Length: 3"], body=b"abc"))
            assert wire.reply("POST").status == 200, count
    assert [one.body for one in good.wait_for_requests(6)] == [b"abc"] * 6
    assert expired.requests == []


def test_a_body_that_ends_with_the_connection_must_end_by_tls(gateway, secure, authority):
    def script(is_told):
        def run(peer):
            peer.request()
            peer.send(answer(b"half", headers=["Connection: close"], length=False))
            if is_told:
                peer.socket.unwrap()

        return run

    for is_told in (True, False):
        server = gateway(secure(authority.shop, script(is_told)), **trusting(authority))
        with server.connect() as wire:
            wire.send(request())
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while not received.endswith(b"0\r\n\r\n") and (data := wire.socket.recv(1 << 16)):
                    received += data
            # The last chunk says that it is whole.
            assert received.endswith(b"half\r\n0\r\n\r\n") == is_told, received


# Resumption


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_connections_resume_sessions(gateway, secure, authority, version):
    def once(peer):
        peer.request()
        peer.send(answer(headers=["Connection: close"]))
        peer.socket.unwrap()

    endpoint = secure(authority.shop, once, highest=version)
    server = standing(gateway(endpoint, **trusting(authority)))
    with server.connect() as wire:
        for _ in range(5):
            assert wire.get().status == 200
    assert endpoint.resumed[False] == 1
    assert endpoint.resumed[True] >= 4
    assert server.metric(handshakes("false")) == 1
    assert server.metric(handshakes("true")) >= 4


# The file, and what changes


def test_upstreams_of_the_file_have_settings_of_their_own(gateway, secure, authority, tmp_path):
    one, two = secure(authority.shop), secure(authority.stranger.pair("two", "two.test"))
    file = tmp_path / "weir.yaml"
    file.write_text(
        f"""
        upstreams:
          one: {{endpoints: [{one.url}], tls: {{ca: {authority.file}, server-name: shop.test}}}}
          two: {{endpoints: [{two.url}], tls: {{verify: false}}}}
        routes:
        - {{match: {{path: /one}}, upstream: one}}
        - {{match: {{path: /two}}, upstream: two}}
        """
    )
    server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file)
    with server.connect() as wire:
        assert (wire.get("/one").status, wire.get("/two").status) == (200, 200)
    warnings = [json.loads(line)["message"] for line in server.log if '"warning"' in line]
    assert warnings == ["upstream two: certificates are not verified"]


def test_a_ca_that_changes_goes_for_new_connections(gateway_of, secure, authority, tmp_path):
    def once(peer):
        peer.request()
        peer.send(answer(headers=["Connection: close"]))
        peer.socket.unwrap()

    trusted = tmp_path / "ca.crt"
    shutil.copy(authority.file, trusted)
    endpoint = secure(authority.shop, once)

    class File:
        path = tmp_path / "weir.yaml"

        def write(self, text):
            self.path.write_text(text)

    text = f"upstreams: {{default: {{endpoints: [{endpoint.url}], tls: {{ca: {trusted}}}, breaker: off}}}}"
    server = gateway_of(File(), text, WEIR_UPSTREAM_TLS_SERVER_NAME="shop.test")

    def status():
        with server.connect() as wire:
            return wire.get().status

    assert status() == 200
    for source, outcome, expected in [
        (authority.stranger.file, "applied", 502), (authority.client[1], "rejected", 502), (authority.file, "applied", 200)
    ]:  # fmt: skip
        name = f'weir_upstream_tls_reloads_total{{outcome="{outcome}"}}'
        before = server.metric(name)
        shutil.copy(source, tmp_path / "next")
        (tmp_path / "next").rename(trusted)
        server.wait_for_metric(name, before + 1)
        # A session from before is not resumed: it was verified by what was trusted then.
        eventually(lambda: status() == expected, f"{expected} with {source}")
    assert any("no certificate in it" in line for line in server.log)


def test_health_checks_look_at_the_certificate(gateway, secure, authority, tmp_path):
    good, expired = secure(authority.shop), secure(authority.pair("stale", "shop.test", days=-1))
    configuration = {
        "endpoints": [good.url, expired.url],
        "check": {"http": "/healthz", "interval": "1s", "timeout": "500ms"},
        "tls": {"ca": str(authority.file), "server-name": "shop.test"},
    }
    server = control.start(gateway, tmp_path, configuration)
    control.wait_for_health(server, "passing", "critical")
    shown = control.page(server)["endpoints"][1]["check"]
    assert shown.startswith(f"HTTP GET {expired.url}/healthz: no TLS (expired): its certificate (CN=stale) has expired")


def test_endpoints_that_are_discovered_are_spoken_to_by_tls(gateway, secure, authority, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost shop.test\n")
    endpoint = secure(authority.shop)
    source = tmp_path / "endpoints.json"
    source.write_text(json.dumps([endpoint.url]))
    for discover in (f"file://{source}", f"dns://shop.test:{endpoint.port}"):
        configuration = {"discover": discover, "tls": {"ca": str(authority.file)}}
        server = control.start(gateway, tmp_path, configuration, hosts=hosts)
        control.wait_for_urls(server, endpoint.url)
        with server.connect() as wire:
            assert wire.get().status == 200


@pytest.mark.parametrize(
    "settings,text",
    [
        ({"WEIR_UPSTREAM_TLS_CA": "/nowhere/ca.crt"}, 'upstream "default": TLS: /nowhere/ca.crt: No such file'),
        ({"WEIR_UPSTREAM_TLS_CERT": "/a.crt"}, "expected a certificate and its key, or neither"),
        ({"WEIR_UPSTREAM_PROXY_PROTOCOL": "v2"}, "the PROXY protocol is not spoken together with TLS"),
        ({"WEIR_UPSTREAM_TLS_SERVER_NAME": "a b"}, "expected a host name"),
        ({"WEIR_UPSTREAM_TLS_CA": "/no\nwhere"}, 'upstream "default": TLS: /no\\nwhere: No such file'),
        ({"WEIR_UPSTREAM_TLS_CA": "/a", "WEIR_UPSTREAM_TLS_VERIFY": "no"}, "expected verification by the CA, or neither"),
        ({"WEIR_UPSTREAM": "http://a", "WEIR_UPSTREAM_TLS_CA": "/a"}, "TLS is spoken with no upstream"),
        (
            {"WEIR_UPSTREAM": "http://a", "WEIR_UPSTREAM_TLS_CERT": "/a", "WEIR_UPSTREAM_TLS_KEY": "/b"},
            "TLS is spoken with no upstream",
        ),
    ],
)
def test_what_cannot_be_used_stops_the_start(settings, text):
    code, lines = run_to_failure({"WEIR_UPSTREAM": "https://127.0.0.1:1", **settings}, binary=GATEWAY)
    assert (code, len(lines)) == (78, 1), lines
    assert text in lines[0]
