# SPDX-License-Identifier: Apache-2.0
# Requests that come before a handshake is done (0-RTT), by the openssl program.

import subprocess

import pytest

from certificates import Authority
from server import run_to_failure
from upstream import answer
from wire import request

EARLY = "weir_tls_early_requests_total"
CLOSE = ["Connection: close"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.server = authority.pair("server", "shop.test")
    return authority


def settings_of(authority, **settings):
    certificate, key = authority.server
    return {
        "WEIR_LISTEN": "tls://127.0.0.1:0",
        "WEIR_TLS_CERT": certificate,
        "WEIR_TLS_KEY": key,
        "WEIR_TLS_EARLY_DATA": "on",
        **settings,
    }


class Client:
    """The openssl program, with a session of its own file."""

    def __init__(self, server, folder):
        self.server, self.session, self.early = server, folder / "session.pem", folder / "early"

    def run(self, *arguments, input=b""):
        return subprocess.run(
            [
                "openssl", "s_client", "-connect", f"127.0.0.1:{self.server.port}", "-tls1_3", "-ign_eof",
                *map(str, arguments),
            ],
            input=input, capture_output=True, timeout=10,
        ).stdout.decode(errors="replace")  # fmt: skip

    def begin(self):
        output = self.run("-sess_out", self.session, input=request("/hello", headers=CLOSE))
        assert "HTTP/1.1 200" in output

    def send_early(self, data, then=b""):
        """Sends early what it may, and something else when the handshake is done."""
        self.early.write_bytes(data)
        return self.run("-sess_in", self.session, "-early_data", self.early, input=then)


@pytest.fixture
def client(tmp_path):
    def start(server):
        client = Client(server, tmp_path)
        client.begin()
        return client

    return start


def test_a_request_that_changes_nothing_is_passed_on_as_early(upstream, gateway, authority, client):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority))
    early = client(server)
    output = early.send_early(request("/early", headers=CLOSE))
    assert "Early data was accepted" in output and "HTTP/1.1 200" in output
    assert [seen.target for seen in endpoint.requests] == ["/hello", "/early"]
    assert [seen.values("early-data") for seen in endpoint.requests] == [[], ["1"]]
    assert server.metric(EARLY) == 1
    # The same again is not taken early: what has been seen once is nobody's to send again.
    output = early.send_early(request("/again", headers=CLOSE), then=request("/late", headers=CLOSE))
    assert "Early data was rejected" in output and "HTTP/1.1 200" in output
    assert endpoint.targets == ["/hello", "/early", "/late"]
    assert server.metric(EARLY) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_one_that_changes_something_waits_for_the_handshake(upstream, gateway, authority, client, method):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority))
    output = client(server).send_early(request("/early", method=method, headers=["Content-Length: 0", *CLOSE]))
    assert "Early data was accepted" in output and "HTTP/1.1 200" in output
    assert endpoint.requests[-1].method == method
    assert endpoint.requests[-1].values("early-data") == []
    assert server.metric(EARLY) == 0


def test_too_early_is_passed_on(upstream, gateway, authority, client):
    def script(peer):
        while True:
            is_early = peer.request().values("early-data") == ["1"]
            peer.send(answer(b"", status="425 Too Early") if is_early else answer(b"ok"))

    server = gateway(upstream(script), **settings_of(authority))
    output = client(server).send_early(request("/early", headers=CLOSE))
    assert "HTTP/1.1 425 Too Early" in output


def test_it_is_off_by_default(serve, authority, client):
    server = serve(**settings_of(authority, WEIR_TLS_EARLY_DATA="off"))
    output = client(server).send_early(request("/early", headers=CLOSE), then=request("/hello", headers=CLOSE))
    assert "Early data was not sent" in output and "HTTP/1.1 200" in output
    assert server.metric(EARLY) == 0


def test_not_with_keys_that_replicas_share(authority, tmp_path):
    code, (line,) = run_to_failure(settings_of(authority, WEIR_TLS_TICKET_KEYS=tmp_path / "key"))
    assert code == 78
    assert "WEIR_TLS_EARLY_DATA" in line and "WEIR_TLS_TICKET_KEYS" in line
