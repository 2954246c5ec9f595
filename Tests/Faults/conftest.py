# SPDX-License-Identifier: Apache-2.0
# Fixtures: services and gateways that must live through what is done to them, the layer between them and the kernel,
# and the figures, which are printed at the end.

import itertools
import os
import resource

import pytest

import steering
from certificates import Authority
from server import BINARY, GATEWAY, Server

pytest_plugins = ["skips"]
FIGURES = []
# Repeatable: FAULTS_SEED=7 make faults.
SEED = int(os.environ.get("FAULTS_SEED", "1"))


def pytest_sessionstart(session):
    for binary in (BINARY, GATEWAY):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"{binary} is missing: make faults builds it", returncode=2)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def start():
    """Starts services, of which each must end with 0; those that were started last end first."""
    servers = []

    def start(binary=BINARY, arguments=(), descriptors=None, **settings):
        server = Server({"WEIR_DRAIN_TIMEOUT": "2s", **settings}, descriptors, binary=binary, arguments=arguments)
        servers.append(server)
        return server

    yield start
    codes = []
    for server in reversed(servers):
        if server.process.poll() is None:
            server.signal()
        codes.append(server.wait())
        server.kill()
    assert set(codes) <= {0}, [server.log[-5:] for server in servers]


@pytest.fixture
def gateway(start):
    """Starts gateways in front of services."""

    def begin(*endpoints, **settings):
        urls = ",".join(endpoint if isinstance(endpoint, str) else endpoint.url for endpoint in endpoints) or None
        return start(GATEWAY, **{"WEIR_UPSTREAM": urls, **settings})

    return begin


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    return steering.build(tmp_path_factory.mktemp("layer"))


@pytest.fixture
def layer(library, tmp_path):
    """Layers for processes of a binary, each with its own seed."""
    seeds = itertools.count(SEED)
    return lambda binary=BINARY, **options: steering.Layer(library, tmp_path, binary, next(seeds), **options)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def figure(request):
    """Takes a figure for the end of the run."""
    return lambda text: FIGURES.append((request.node.name, text))


def pytest_terminal_summary(terminalreporter):
    for name, text in FIGURES:
        terminalreporter.write_line(f"{name}: {text}")
