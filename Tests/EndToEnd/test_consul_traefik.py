# SPDX-License-Identifier: Apache-2.0
# Traefik, with Consul's own client inside, finds what is registered with us and routes to it.

import os
import socket
import subprocess
import sys
from pathlib import Path

import consul
import httpx
import pytest

from polling import eventually

TRAEFIK = Path(sys.executable).parent / "traefik"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Traefik:
    def __init__(self, consul_port, tmp_path, *options):
        self.port = free_port()
        self.log = tmp_path / "traefik.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "setpriv", "--pdeathsig", "KILL", TRAEFIK,
                    f"--entrypoints.web.address=127.0.0.1:{self.port}",
                    "--providers.consulcatalog=true",
                    f"--providers.consulcatalog.endpoint.address=127.0.0.1:{consul_port}",
                    "--providers.consulcatalog.exposedByDefault=true",
                    "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=DEBUG",
                    *options,
                ],
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"]},
            )

    def ask(self, path):
        """Status and body; None while Traefik does not listen."""
        try:
            reply = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return None
        return reply.status_code, reply.text

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def traefik(tmp_path):
    started = []

    def start(port, *options):
        started.append(Traefik(port, tmp_path, *options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def register(agent, number, port, check=None):
    agent.agent.service.register(
        "web", service_id=f"web-{number}", address="127.0.0.1", port=port, check=check,
        tags=["traefik.http.routers.web.rule=PathPrefix(`/`)", "traefik.http.routers.web.entrypoints=web"],
    )


WATCHING = ["--providers.consulcatalog.watch=true"]
ASKING = ["--providers.consulcatalog.refreshInterval=1s"]


@pytest.mark.parametrize("options", [WATCHING, ASKING], ids=["blocking queries", "polling"])
def test_traefik_routes_to_what_is_registered_and_healthy(serve, traefik, upstream_process, options):
    agent = consul.Consul(host="127.0.0.1", port=serve().admin_port)
    one, two = upstream_process(), upstream_process()
    front = traefik(agent.http.port, *options)

    def await_answers(*processes):
        """Until those who answer are these, each of them."""
        expected = {(200, str(process.process.pid)) for process in processes} or {(404, "404 page not found\n")}
        eventually(lambda: {front.ask("/") for _ in range(8)} == expected, f"answers {expected}, see {front.log}", 30)

    await_answers()
    register(agent, 1, one.port)
    await_answers(one)
    register(agent, 2, two.port, consul.Check.ttl("1h"))
    agent.agent.check.ttl_pass("service:web-2")
    await_answers(one, two)
    agent.agent.check.ttl_fail("service:web-2")
    await_answers(one)
    agent.agent.check.ttl_warn("service:web-2")
    await_answers(one, two)
    agent.agent.service.maintenance("web-1", True)
    await_answers(two)
    agent.agent.service.deregister("web-1")
    agent.agent.service.deregister("web-2")
    await_answers()
