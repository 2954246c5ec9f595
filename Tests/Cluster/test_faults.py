# SPDX-License-Identifier: Apache-2.0
# What discovery makes of an API server that refuses it, shows a certificate that has ended, or goes away (and there
# the metrics adapter, too): what was known last is used, and it is said.

import time

import pytest

from control import page
from load import load
from plane import RECOVERY_SECONDS
from polling import eventually
from test_discovery import SOURCE, wait_until_known

pytestmark = pytest.mark.usefixtures("reader")

FAILED = 'weir_discovery_updates_total{upstream="default",provider="kubernetes",outcome="failed"}'
# Of what it waits between two tries.
BACKOFF_SECONDS = 30


def problem(server):
    return page(server, "default")["source"]["problem"]


def wait_for_problem(server, text, seconds=30):
    eventually(lambda: text in (problem(server) or ""), f"it says {text!r}", seconds)


def wait_for_recovery(server):
    eventually(lambda: problem(server) is None, "nothing is wrong any more", BACKOFF_SECONDS + 10)


def test_the_api_server_is_away_for_a_minute(plane, cluster, hello, gateway, adapters):
    trust = adapters.trust(plane.front_pair)
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    with load(server, "/sleep?ms=50") as clients:
        clients.wait_for(100)
        plane.stop_api()
        # At once, and after 1, 2, 4, 8, 16 and 30 s, each from half to all of it.
        failed, back_at = server.metric(FAILED), time.monotonic() + 60
        clients.wait_until(lambda: time.monotonic() >= back_at, "a minute", 90)
        assert server.metric(FAILED) >= failed + 6
        assert "2 are kept" in problem(server)
        adapters.wait_for_line("pods: ", "no connection can be made")
        adapters.expect_answers(trust)
        clients.wait_for(100)
        plane.start_api()
        cluster.scale("hello", 3)
        cluster.wait_for_pods("hello", 3, RECOVERY_SECONDS)
        wait_for_recovery(server)
        wait_until_known(server, cluster, 3)
        seen = clients.stop()
    assert set(seen) == {200}, seen
    adapters.wait_for_line("pods: all is well again")
    adapters.wait_until_asked()


def test_an_expired_certificate(plane, cluster, hello, gateway):
    """The API server's: nobody who shows such a one is believed, nor told the token."""
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    with load(server, "/sleep?ms=50") as clients:
        clients.wait_for(100)
        plane.stop_api()
        plane.start_api(plane.expired_pair)
        wait_for_problem(server, "no TLS (expired)", BACKOFF_SECONDS + 10)
        assert "2 are kept" in problem(server)
        clients.wait_for(100)
        plane.stop_api()
        plane.start_api()
        cluster.scale("hello", 3)
        cluster.wait_for_pods("hello", 3, RECOVERY_SECONDS)
        wait_for_recovery(server)
        wait_until_known(server, cluster, 3)
        seen = clients.stop()
    assert set(seen) == {200}, seen


def test_a_wrong_token(cluster, hello, gateway, plane):
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    token = server.account / "token"
    right = token.read_text()
    token.write_text("wrong-token-0123456789")
    # The watch that runs goes on; the next request shows the new token.
    plane.stop_api()
    plane.start_api()
    wait_for_problem(server, "does not take the service account's token (401); 2 are kept", BACKOFF_SECONDS + 10)
    with server.connect() as wire:
        assert wire.get("/hello").status == 200
    cluster.scale("hello", 3)
    cluster.wait_for_pods("hello", 3, RECOVERY_SECONDS)
    token.write_text(right)
    wait_until_known(server, cluster, 3)
    wait_for_recovery(server)
    assert right not in "".join(server.log)


def test_an_account_without_rights(cluster, hello, gateway):
    """The right is missing, and then it is given: nothing is restarted."""
    binding = cluster.get("RoleBinding", "discovery-gateway")
    cluster.delete("RoleBinding", "discovery-gateway")
    try:
        late = gateway(WEIR_UPSTREAM=SOURCE)
        wait_for_problem(late, "verbs [list, watch]")
        with late.connect() as wire:
            assert wire.get("/hello").status == 503
    finally:
        parts = {key: binding[key] for key in ("roleRef", "subjects")}
        cluster.create("RoleBinding", {"metadata": {"name": "discovery-gateway"}, **parts})
    wait_until_known(late, cluster, 2)
    with late.connect() as wire:
        assert wire.get("/hello").status == 200
