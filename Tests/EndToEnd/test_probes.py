# SPDX-License-Identifier: Apache-2.0
# What the kubelet asks: what fails which probe, and that load fails none. A loop that is stuck is in ProbeTests.swift.

import json
import re
from contextlib import ExitStack

import pytest
import yaml

from admission import Holder, rejected, wait_for_pool
from load import load
from polling import eventually
from server import REPOSITORY
from wire import request

PROBES = ["/startupz", "/readyz", "/livez"]


def statuses(server):
    return [server.ask_admin(path)[0] for path in PROBES]


def test_a_service_that_has_started_passes_all(serve):
    server = serve()
    assert [server.ask_admin(path) for path in PROBES] == [(200, "started\n"), (200, "ready\n"), (200, "alive\n")]


def test_a_drain_fails_readiness_alone(serve):
    server = serve(WEIR_DRAIN_DELAY="5s", WEIR_DRAIN_TIMEOUT="6s")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1500"))
        server.signal()
        eventually(lambda: server.ask_admin("/readyz")[0] == 503, "the drain has begun")
        assert statuses(server) == [200, 503, 200]
        assert wire.reply().status == 200


def test_a_full_queue_and_refusals_fail_none(serve):
    server = serve(WEIR_CONCURRENCY=1, WEIR_QUEUE=2, WEIR_LOOPS=1)
    holder = Holder(server)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(server.connect()).send(request("/hello"))
        wait_for_pool(server, executing=1, queued=2)
        for _ in range(10):
            with server.connect() as wire:
                assert wire.get("/async").status == 503
            assert statuses(server) == [200, 200, 200]
        assert rejected(server, "queue_full") > 0
    holder.end()


def test_workers_that_are_all_taken_fail_none(serve):
    server = serve(WEIR_WORKERS=1, WEIR_WORKERS_QUEUE=1, WEIR_LOOPS=1)

    def turned_away():
        return rejected(server, "queue_full")

    with load(server, "/blocking") as running:
        for _ in range(10):
            before = turned_away()
            running.wait_until(lambda: turned_away() > before, "the worker is taken, and the place to wait for it")
            assert statuses(server) == [200, 200, 200]
        assert set(running.stop()) == {200, (503, "queue_full")}


def test_endpoints_that_are_down_fail_readiness_before_they_were_ever_up_and_liveness_never(gateway, upstream):
    away = gateway("http://127.0.0.1:1")
    assert statuses(away) == [200, 503, 200]
    endpoint = upstream()
    server = gateway(endpoint)
    eventually(lambda: server.ask_admin("/readyz")[0] == 200, "the endpoint has answered")
    endpoint.close()
    with server.connect() as wire:
        assert wire.get().status in (502, 503)
    assert statuses(server) == [200, 200, 200]


@pytest.fixture
def numbers():
    text = (REPOSITORY / "docs/probes.md").read_text()
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.S)[1])


def settings_of(server):
    """The rows of /config by the settings' names."""
    return {row["name"]: row for row in json.loads(server.ask_admin("/config")[1])["settings"]}


def test_the_numbers_that_are_recommended_fit_the_settings(serve, numbers):
    settings = {name: row["default"] for name, row in settings_of(serve()).items()}

    def seconds(name):
        return int(settings[name].removesuffix("s"))

    probes = [numbers[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [probe["httpGet"]["path"] for probe in probes] == PROBES
    ports = {port["name"]: port["containerPort"] for port in numbers["ports"]}
    assert settings["WEIR_ADMIN_LISTEN"] == f":{ports['admin']}"
    assert all(probe["httpGet"]["port"] == "admin" for probe in probes)
    assert numbers["terminationGracePeriodSeconds"] > seconds("WEIR_DRAIN_TIMEOUT") + 1
    readiness = numbers["readinessProbe"]
    # A pod that drains is out before it stops to take connections.
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < seconds("WEIR_DRAIN_DELAY")


def test_nothing_that_is_recommended_runs_a_program_in_the_container(numbers):
    """There is none but the gateway."""
    assert "exec" not in yaml.safe_dump(numbers)
