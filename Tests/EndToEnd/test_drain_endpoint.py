# SPDX-License-Identifier: Apache-2.0
# A drain that the admin port is asked for, and the stop signal behind it; and what the admin pages say meanwhile.

import http.client
import json
import threading
import time

import httpx
import pytest

from polling import PATIENCE_SECONDS, eventually
from wire import Wire, request

TOKEN = "a-token-that-nobody-may-read"


class Asking(threading.Thread):
    """Asks for the drain, which takes a while to answer."""

    def __init__(self, server, method="GET"):
        super().__init__(daemon=True)
        self.server, self.method, self.answer = server, method, None
        self.start()

    def run(self):
        self.answer = self.server.ask_admin("/drain", method=self.method)

    def wait(self):
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the drain is not answered"
        return self.answer


def wait_for_executing(server):
    eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 1, "the request is in the handler")


def test_an_idle_service_is_drained_at_once_and_goes_on_until_the_signal(serve):
    server = serve(WEIR_DRAIN_TIMEOUT="1m")
    assert server.ask_admin("/drain") == (200, "drained\n")
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert server.ask_admin("/readyz") == (503, "not ready: draining\n")
    assert server.ask_admin("/livez") == (200, "alive\n")
    assert server.ask_admin("/metrics")[0] == 200
    # Again: the same drain, which is over.
    assert server.ask_admin("/drain", method="POST") == (200, "drained\n")
    assert server.process.poll() is None
    server.signal()
    assert server.wait() == 0
    assert server.messages == ["serving", "draining", "drained"]


def test_the_drain_delay_is_not_served_twice(serve):
    server = serve(WEIR_DRAIN_DELAY="3s")
    assert server.ask_admin("/drain") == (200, "drained\n")
    began = time.monotonic()
    server.signal()
    assert server.wait() == 0
    assert time.monotonic() < began + 2.9, "the stop waited for another drain delay"


def test_requests_are_still_taken_during_the_drain_delay(serve):
    server = serve(WEIR_DRAIN_DELAY="1500ms")
    asking = Asking(server)
    eventually(lambda: server.ask_admin("/readyz")[0] == 503, "readiness fails")
    with server.connect() as wire:
        reply = wire.get()
        assert (reply.status, reply.closes) == (200, True)
    assert asking.answer is None
    assert asking.wait() == (200, "drained\n")


def test_all_who_ask_wait_for_a_request_in_flight(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1500"))
        wait_for_executing(server)
        asking = [Asking(server, method) for method in ["GET", "POST", "GET"]]
        server.wait_for_line("draining")
        assert server.ask_admin("/readyz")[0] == 503
        assert [one.answer for one in asking] == [None] * 3
        reply = wire.reply()
        assert (reply.status, reply.closes) == (200, True)
    assert [one.wait() for one in asking] == [(200, "drained\n")] * 3
    assert server.messages == ["serving", "draining", "drained"]


def test_a_signal_during_the_drain_waits_for_it_and_whoever_asked_is_answered(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1000"))
        wait_for_executing(server)
        asking = Asking(server)
        server.wait_for_line("draining")
        server.signal()
        assert wire.reply().status == 200
    assert asking.wait() == (200, "drained\n")
    assert server.wait() == 0
    assert server.messages == ["serving", "draining", "drained"]


def test_whoever_asks_after_the_signal_is_answered_too(serve):
    server = serve()
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1000"))
        wait_for_executing(server)
        server.signal()
        server.wait_for_line("draining")
        asking = Asking(server)
        assert wire.reply().status == 200
    assert asking.wait() == (200, "drained\n")
    assert server.wait() == 0


def test_a_drain_whose_time_is_over_says_what_is_left_and_cuts_nothing(serve):
    server = serve(WEIR_DRAIN_TIMEOUT="300ms")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=2000"))
        wait_for_executing(server)
        status, text = server.ask_admin("/drain")
        assert status == 503 and text == "drain timed out, connections left: 1\n"
        assert wire.reply().status == 200
    eventually(lambda: server.ask_admin("/drain") == (200, "drained\n"), "what was left has ended")


def test_head_begins_no_drain(serve):
    server = serve()
    assert httpx.head(server.admin_url + "/drain").status_code == 405
    assert server.ask_admin("/readyz")[0] == 200


def test_the_service_port_drains_nothing(serve):
    server = serve()
    with server.connect() as wire:
        assert wire.get("/drain").status == 404
    assert server.ask_admin("/readyz")[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}"}])
def test_loopback_needs_no_token(serve, host, headers):
    server = serve(WEIR_ADMIN_LISTEN=f"{host}:0", WEIR_ADMIN_TOKEN=TOKEN)
    connection = http.client.HTTPConnection(host, server.admin_port, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/drain", headers=headers)
    assert connection.getresponse().read() == b"drained\n"
    connection.close()


def test_a_unix_socket_is_as_good_as_loopback(serve, tmp_path):
    path = str(tmp_path / "admin.sock")
    serve(WEIR_ADMIN_LISTEN=f"unix:{path}")
    with Wire(path) as wire:
        assert wire.get("/drain").body == b"drained\n"


def test_a_forwarded_address_does_not_make_a_peer_one_of_loopback_or_not(serve):
    server = serve(WEIR_TRUSTED_PROXIES="loopback")
    connection = server.admin_connection()
    connection.request("GET", "/drain", headers={"X-Forwarded-For": "198.51.100.7"})
    assert connection.getresponse().status == 200
    connection.close()


def test_config_shows_what_is_in_force_and_no_secret(serve):
    server = serve(WEIR_ADMIN_TOKEN=TOKEN, WEIR_DEADLINE="2000ms")
    status, text = server.ask_admin("/config")
    assert status == 200 and TOKEN not in text
    settings = {row["name"]: row for row in json.loads(text)["settings"]}
    assert settings["WEIR_DEADLINE"] == {
        "name": "WEIR_DEADLINE", "value": "2s", "default": "15s", "source": "environment"
    }
    assert settings["WEIR_ADMIN_TOKEN"]["value"] == "***"
    assert settings["WEIR_LOG_LEVEL"]["source"] == "default"


def test_a_service_without_upstreams_has_an_empty_list(serve):
    assert json.loads(serve().ask_admin("/upstreams")[1]) == {"upstreams": []}


def test_the_index_names_the_pages_and_each_answers(serve):
    server = serve()
    paths = [line.split()[0] for line in server.ask_admin("/")[1].splitlines() if line.startswith("/")]
    assert paths == ["/livez", "/readyz", "/startupz", "/metrics", "/config", "/queue", "/guard", "/upstreams", "/drain", "/v1/agent/self"]
    assert [server.ask_admin(path)[0] for path in paths] == [200] * 10
