# SPDX-License-Identifier: Apache-2.0
# Fixtures: the control plane with its node, which all tests share, and gateways outside of any pod.

import os
import shutil
import sys

import pytest

from adapters import adapters_of_the_chart
from cluster import Cluster
from kubelet import Kubelet
from network import Network
from objects import container, may_read_slices
from plane import TOKENS, URL, ControlPlane
from polling import eventually
from server import BINARY, GATEWAY, REPOSITORY, Server
from services import QUICK, running

STORE = REPOSITORY / ".build-cluster"
FOLDER = STORE / "run"
IMAGES = {
    "weir": [GATEWAY],
    "hello": [os.path.abspath(BINARY)],
    "talker": [sys.executable, REPOSITORY / "Tests/Cluster/garbage.py"],
    "orders": [sys.executable, REPOSITORY / "Tests/Cluster/workload.py"],
}


def pytest_sessionstart(session):
    for file in (GATEWAY, BINARY, STORE / "bin" / "kube-apiserver"):
        if not os.access(file, os.X_OK):
            pytest.exit(f"{file} is missing: make test-cluster builds it", returncode=2)
    if os.environ.get("WEIR_CLUSTER_NAMESPACES") != "own":
        pytest.exit("these tests need namespaces of their own: Tests/Cluster/run starts them", returncode=2)


@pytest.fixture(scope="session")
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture(scope="session")
def plane(network):
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    plane = ControlPlane(STORE / "bin", FOLDER)
    yield plane
    plane.close()


@pytest.fixture(scope="session")
def cluster(plane):
    cluster = Cluster(plane.certificates / "kubeconfig")
    # The API server makes it a moment after it is ready.
    eventually(lambda: cluster.get("Namespace", "default"), "the namespace is made", 30)
    return cluster


@pytest.fixture(scope="session")
def kubelet(plane, cluster, network):
    kubelet = Kubelet(cluster, network, plane.authority.file, IMAGES, FOLDER / "pods")
    yield kubelet
    kubelet.close()


@pytest.fixture
def gateway(tmp_path, plane):
    """Starts gateways beside the pods, with an account that may read the EndpointSlices of `default`."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(next(iter(TOKENS)))
    (account / "ca.crt").write_bytes(plane.authority.file.read_bytes())
    servers = []

    def start(**settings):
        own = {"WEIR_KUBERNETES_API": URL, "WEIR_KUBERNETES_ACCOUNT": account, "WEIR_ADMIN_LISTEN": "127.0.0.1:0"}
        servers.append(Server({**own, **settings}, binary=GATEWAY))
        servers[-1].account = account
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def hello(cluster, kubelet):
    """Two pods of `hello`, of which each has ten places."""
    with running(cluster, "hello", 2, [container(WEIR_CONCURRENCY=10, **QUICK)]):
        yield


@pytest.fixture
def adapters(cluster, kubelet, plane):
    """Two replicas of the metrics adapter, and two pods that they ask."""
    with adapters_of_the_chart(cluster, kubelet, plane) as adapters:
        yield adapters


@pytest.fixture(scope="session")
def reader(cluster):
    """The gateways' account may read EndpointSlices."""
    role, binding = may_read_slices()
    cluster.create("Role", role)
    cluster.create("RoleBinding", binding)
