# SPDX-License-Identifier: Apache-2.0
# Requests that come before a handshake is done (0-RTT), by the openssl program.

import socket
import subprocess

import pytest

from certificates import Authority
from polling import PATIENCE_SECONDS, eventually
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

    def first_flight(self, data):
        """What a client with such early data sends before anybody has answered it."""
        self.early.write_bytes(data)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE_SECONDS)
            program = subprocess.Popen(
                [
                    "openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-tls1_3",
                    "-sess_in", self.session, "-early_data", self.early,
                ],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(PATIENCE_SECONDS)
                    return b"".join(records(peer, len(data)))
            finally:
                program.kill()
                program.communicate()


def records(peer, early_bytes):
    """The records that come, until they have so many bytes of early data."""
    received = peer.makefile("rb")
    while early_bytes > 0:
        head = received.read(5)
        body = received.read(int.from_bytes(head[3:], "big"))
        if head[0] == 23:
            # Behind what is sealed come its kind and 16 bytes that say so.
            early_bytes -= len(body) - 17
        yield head + body


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


def test_a_handler_that_finds_it_too_early_is_asked_again(serve, authority, client):
    server = serve(**settings_of(authority))
    fresh = request("/unrecorded")
    output = client(server).send_early(fresh, then=request("/unrecorded", headers=CLOSE))
    assert "Early data was accepted" in output
    first, second = output.index("HTTP/1.1 425 Too Early"), output.index("HTTP/1.1 200")
    assert first < second and "Hello, whoever you are" in output[second:]
    assert server.metric(EARLY) == 1


SAFE = request("/early")
PARTS = {"a request": SAFE, "a request that waits": request("/early", method="POST", body=b"hi"), "half a method": b"GE"}


@pytest.mark.parametrize("early", PARTS.values(), ids=PARTS)
def test_a_client_that_never_ends_its_handshake_has_the_time_of_one(upstream, gateway, authority, client, early):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority, WEIR_TLS_HANDSHAKE_TIMEOUT="200ms"))
    flight = client(server).first_flight(early)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as peer:
        peer.sendall(flight)
        while peer.recv(65536):
            pass
    server.wait_for_metric('weir_timeouts_total{kind="handshake"}', 1)
    assert server.metric('weir_tls_handshakes_total{resumed="true"}') == 0
    served = ["/hello", "/early"] if early is SAFE else ["/hello"]
    assert [seen.target for seen in endpoint.requests] == served
    assert server.metric(EARLY) == len(served) - 1


def test_what_changes_something_waits_behind_what_does_not(upstream, gateway, authority, client):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority))
    both = SAFE + request("/late", method="DELETE", headers=CLOSE)
    early = client(server)
    flight = early.first_flight(both)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as peer:
        peer.sendall(flight)
        eventually(lambda: len(endpoint.requests) > 1, "the safe one is passed on")
    early.begin()
    assert early.send_early(both).count("HTTP/1.1 200") == 2
    # Of the client that has never shown that it is there nothing else was passed on.
    seen = [(each.target, each.values("early-data")) for each in endpoint.requests]
    assert seen == [("/hello", []), ("/early", ["1"]), ("/hello", []), ("/early", ["1"]), ("/late", [])]


def test_it_is_off_by_default(serve, authority, client):
    server = serve(**settings_of(authority, WEIR_TLS_EARLY_DATA="off"))
    output = client(server).send_early(request("/early", headers=CLOSE), then=request("/hello", headers=CLOSE))
    assert "Early data was not sent" in output and "HTTP/1.1 200" in output
    assert server.metric(EARLY) == 0


def test_not_where_all_clients_are_asked_for_certificates(authority):
    settings = settings_of(authority, WEIR_TLS_CLIENT="required", WEIR_TLS_CLIENT_CA=authority.file)
    code, (line,) = run_to_failure(settings)
    assert code == 78
    assert 'WEIR_TLS_EARLY_DATA="true" with WEIR_TLS_CLIENT="required"' in line


def test_not_with_keys_that_replicas_share(authority, tmp_path):
    code, (line,) = run_to_failure(settings_of(authority, WEIR_TLS_TICKET_KEYS=tmp_path / "key"))
    assert code == 78
    assert "WEIR_TLS_EARLY_DATA" in line and "WEIR_TLS_TICKET_KEYS" in line
