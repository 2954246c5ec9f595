# SPDX-License-Identifier: Apache-2.0
# Fixtures: a service that a module's tests share, services with settings of their own, and the files to serve.

import os
import subprocess

import pytest

import control
from certificates import Authority
from cluster import Aggregator, Cluster, wait_until_ready
from faulty_upstream import FaultyProcess
from server import BINARY, GATEWAY, Server
from upstream import Upstream, UpstreamProcess, serve_all

pytest_plugins = ["skips"]
BIG_FILE_BYTES = 8 << 20


def pytest_sessionstart(session):
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no service to test at {BINARY}: build it (make) or set WEIR_HELLO", returncode=2)


@pytest.fixture
def serve():
    """Starts services with settings; they are stopped, and must end well, when the test is over."""
    servers = []

    def start(*, descriptors=None, quiet=False, stdout=subprocess.DEVNULL, group=None, **settings):
        server = Server(settings, descriptors=descriptors, quiet=quiet, stdout=stdout, group=group)
        servers.append(server)
        return server

    yield start
    close_all(servers, Server.stop)


@pytest.fixture
def upstream():
    """Starts scripted endpoints; when the test is over they are closed, and no script may have failed."""
    upstreams = []

    def start(script=serve_all, **options):
        upstreams.append(Upstream(script, **options))
        return upstreams[-1]

    yield start
    close_all(upstreams)


@pytest.fixture
def upstream_process():
    """Starts endpoints in processes of their own."""
    processes = []

    def start(kind=UpstreamProcess):
        processes.append(kind())
        return processes[-1]

    yield start
    close_all(processes)


@pytest.fixture
def gateway(upstream, upstream_process):
    """Starts gateways in front of endpoints or their URLs; they must end well, and before their endpoints do."""
    gateways = []

    def start(*upstreams, hosts=None, cas=None, descriptors=None, group=None, **settings):
        assert os.access(GATEWAY, os.X_OK), f"no gateway at {GATEWAY}: build it (make) or set WEIR_GATEWAY"
        urls = ",".join(one if isinstance(one, str) else one.url for one in upstreams)
        # Few tests are about what a deadline or a drain does: the others shall not wait for it.
        defaults = {"WEIR_UPSTREAM": urls, "WEIR_LOOPS": 1, "WEIR_DRAIN_TIMEOUT": "2s"}
        places = {"hosts": hosts, "cas": cas, "group": group}
        server = Server({**defaults, **settings}, binary=GATEWAY, descriptors=descriptors, **places)
        gateways.append(server)
        # The connection by which it learns whether an endpoint answers serves the first request: once it is there,
        # connections come one after the other.
        for one in upstreams:
            if isinstance(one, Upstream):
                one.wait_for_connections(1)
        return server

    yield start
    close_all(gateways, Server.stop)


@pytest.fixture
def trio(gateway, upstream_process, tmp_path):
    """A gateway in front of three processes that can be told to go wrong; and these."""

    def begin(configuration, **settings):
        endpoints = [upstream_process(FaultyProcess) for _ in range(3)]
        configuration = {"endpoints": [one.url for one in endpoints], **configuration}
        return control.start(gateway, tmp_path, configuration, **settings), endpoints

    return begin


@pytest.fixture
def routed(gateway, tmp_path):
    """Starts a gateway with routes, in YAML, and the upstreams that they name."""

    def start(routes, upstreams, **settings):
        lines = [f"  {name}: {{endpoints: [{one.url}]}}" for name, one in upstreams.items()]
        file = tmp_path / "weir.yaml"
        file.write_text("\n".join(["upstreams:", *lines, "routes:", *routes]) + "\n")
        return gateway(WEIR_CONFIG=file, **settings)

    return start


@pytest.fixture
def gateway_of():
    """Starts a gateway of a file. It must end well; what it logs as an error is the test's to look at."""
    servers = []

    def start(file, text, **settings):
        file.write(text)
        settings = {"WEIR_CONFIG": file.path, "WEIR_LOOPS": 2, "WEIR_DRAIN_TIMEOUT": "2s", **settings}
        servers.append(Server(settings, binary=GATEWAY))
        return servers[-1]

    yield start
    for server in servers:
        server.signal()
        code = server.wait()
        server.kill()
        assert code == 0, server.log


def close_all(things, close=lambda thing: thing.close()):
    """Closes all, whatever becomes of one; then fails as the first did."""
    failures = []
    for thing in things:
        try:
            close(thing)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def weir():
    """Starts the gateway's binary with arguments and settings; without WEIR_UPSTREAM it brings its demo service."""
    assert os.access(GATEWAY, os.X_OK), f"no gateway at {GATEWAY}: build it (make) or set WEIR_GATEWAY"
    servers = []

    def start(*arguments, **settings):
        servers.append(Server(settings, binary=GATEWAY, arguments=arguments))
        return servers[-1]

    yield start
    # A gateway may be in front of one that was started before it.
    failures = []
    for server in reversed(servers):
        try:
            server.stop()
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def authority(tmp_path):
    """Who signs the certificate of a cluster's front proxy."""
    return Authority(tmp_path, "front-proxy-ca")


@pytest.fixture
def cluster(authority):
    """A cluster for metrics adapters."""
    cluster = Cluster(authority)
    yield cluster
    cluster.close()


@pytest.fixture
def adapter(weir, cluster, tmp_path):
    """Starts adapters of the cluster; they must end well, and before it does."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "namespace").write_text("shop")
    (account / "token").write_text("first")

    def start(*, waits=True, **settings):
        defaults = {
            "WEIR_KUBERNETES_API": cluster.url, "WEIR_KUBERNETES_ACCOUNT": account,
            "WEIR_ADAPTER_INTERVAL": "100ms", "WEIR_ADAPTER_AGE": "1s", "WEIR_ADAPTER_REFRESH": "1s", "WEIR_LOOPS": 1,
        }  # fmt: skip
        server = weir("metrics-adapter", **{**defaults, **settings})
        if waits:
            wait_until_ready(server)
        return server

    start.account = account
    return start


@pytest.fixture
def asking(cluster, authority):
    """Who asks an adapter as the aggregation layer does."""
    pair = authority.pair("front-proxy-client")
    return lambda server: Aggregator(server, cluster, pair)


@pytest.fixture(scope="module")
def server(files):
    """A service with default limits, for tests that change nothing."""
    server = Server({"HELLO_FILES": files})
    yield server
    server.stop()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The root of /files; its parent holds a file that must not be served."""
    outside = tmp_path_factory.mktemp("served")
    (outside / "secret.txt").write_text("top secret")
    root = outside / "root"
    (root / "folder").mkdir(parents=True)
    (root / "inside.txt").write_text("inside")
    (root / "empty.txt").write_text("")
    (root / "folder" / "deeper.txt").write_text("deeper")
    (root / "blank and ü.txt").write_text("blank")
    (root / "100%.txt").write_text("percent")
    (root / "big.bin").write_bytes(os.urandom(BIG_FILE_BYTES))
    # Sparse: more than the kernel's buffers of a connection can take.
    with open(root / "huge.bin", "wb") as file:
        file.truncate(256 << 20)
    return root


@pytest.fixture
def curl():
    """Runs curl and gives what it printed."""

    def run(*arguments, input=None):
        result = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments], capture_output=True, input=input
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
