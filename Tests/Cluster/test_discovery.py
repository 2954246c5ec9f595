# SPDX-License-Identifier: Apache-2.0
# Endpoints from the EndpointSlices that a real control plane makes of a Deployment: as it grows, shrinks and is replaced,
# and no request fails on the way.

import pytest

from cluster import is_ready
from control import page, urls
from load import load
from objects import PORT, container
from polling import eventually
from services import QUICK

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
    versions = [group for group in cluster.client.resources.api_groups if group.startswith("discovery")]
    assert versions == ["discovery.k8s.io"] and "discovery.k8s.io/v1beta1" in cluster.resource("EndpointSlice").group_version


def test_variables_for_services_are_no_settings(cluster, kubelet, hello):
    """A Service called `weir` gives every pod of its namespace variables that begin as ours do."""
    from objects import service

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
