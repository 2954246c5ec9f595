# SPDX-License-Identifier: Apache-2.0
# Endpoints from the EndpointSlices that a real control plane makes of a Deployment: as it grows, shrinks and is
# replaced, and no request fails on the way.

import signal

import pytest

from cluster import is_ready
from control import page, urls
from load import CLIENTS, load
from objects import PORT, container, may_read_slices, service
from polling import eventually
from services import QUICK, running
from wire import Wire

pytestmark = pytest.mark.usefixtures("reader")

SOURCE = "k8s://default/hello:http"


def addresses(cluster):
    return sorted(f"http://{pod['status']['podIP']}:{PORT}" for pod in cluster.ready_pods("hello"))


def wait_until_known(server, cluster, count):
    def known():
        found = addresses(cluster)
        return len(found) == count and sorted(urls(server, "default")) == found

    eventually(known, f"the gateway knows the {count} pods", 30)


def test_a_deployment_becomes_endpoints(cluster, hello, gateway):
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    assert page(server, "default")["source"]["problem"] is None
    with server.connect() as wire:
        assert wire.get("/hello").body == b"Hello, world\n"
    # This control plane serves the older version of EndpointSlices only.
    served = {one.group_version for one in cluster.client.resources.search(kind="EndpointSlice")}
    assert served == {"discovery.k8s.io/v1beta1"}


def test_variables_for_services_are_no_settings(cluster, kubelet, hello):
    """A Service called `weir` gives every pod of its namespace variables that begin as ours do."""
    cluster.create("Service", service("weir"))
    try:
        [old, _] = cluster.pods("hello")
        cluster.delete("Pod", old["metadata"]["name"])
        eventually(lambda: cluster.get("Pod", old["metadata"]["name"]) is None, "the pod is gone", 30)
        [_, new] = sorted(cluster.wait_for_pods("hello", 2), key=lambda pod: pod["metadata"]["creationTimestamp"])
        found = kubelet.pod(new["metadata"]["name"]).containers[0].environment()
        assert {"WEIR_SERVICE_HOST", "WEIR_PORT", "WEIR_PORT_80_TCP_ADDR"} <= set(found)
        assert is_ready(new) and new["status"]["containerStatuses"][0]["restartCount"] == 0
    finally:
        cluster.delete("Service", "weir")


def test_a_gateway_in_a_pod(cluster, kubelet, hello):
    """By its service account's token and CA, at the address that the kubelet tells it."""
    # Not `weir`: that is the chart's.
    account = "gateway-in-a-pod"
    cluster.create("ServiceAccount", {"metadata": {"name": account}})
    role, binding = may_read_slices(account, "ServiceAccount")
    cluster.create("Role", role)
    cluster.create("RoleBinding", binding)
    weir = container("weir", "weir:0.1.0", WEIR_UPSTREAM=SOURCE, **QUICK)
    with running(cluster, "gateway", 1, [weir], serviceAccountName=account):
        [pod] = cluster.pods("gateway")
        with Wire((pod["status"]["podIP"], PORT)) as wire:
            assert wire.get("/hello").body == b"Hello, world\n"


def test_no_request_fails_while_pods_are_replaced(cluster, hello, gateway):
    """A rolling update, more pods, and fewer again, under load."""
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    before = set(addresses(cluster))
    with load(server, "/sleep?ms=50") as clients:
        clients.wait_for(100)
        cluster.patch("Deployment", "hello", {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}})
        cluster.wait_for_rollout("hello")
        assert not before & set(addresses(cluster))
        for count in (5, 1, 2):
            cluster.scale("hello", count)
            cluster.wait_for_pods("hello", count)
            wait_until_known(server, cluster, count)
            clients.wait_for(100)
        seen = clients.stop()
    assert set(seen) == {200}, seen


def test_pods_that_are_killed_come_again(cluster, kubelet, hello, gateway):
    """A process that dies is restarted in its pod; what it had begun is all that may fail."""
    server = gateway(WEIR_UPSTREAM=SOURCE)
    wait_until_known(server, cluster, 2)
    name = cluster.pods("hello")[0]["metadata"]["name"]
    container = kubelet.pod(name).containers[0]
    with load(server, "/sleep?ms=50") as clients:
        clients.wait_for(100)
        container.process.signal(signal.SIGKILL)
        eventually(lambda: container.restarts == 1 and container.is_ready, "it is ready again", 30)
        wait_until_known(server, cluster, 2)
        clients.wait_for(100)
        seen = clients.stop()
    failed = sum(count for outcome, count in seen.items() if outcome != 200)
    assert seen[200] >= 200 and failed <= CLIENTS, seen
