# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter` as the chart installs it, asked by the API server and, as the API server asks it, by itself.

import base64
import http.client
import json
import ssl

import pytest

from chart import installed
from cluster import is_serving
from kubernetes.client.exceptions import ApiException
from polling import eventually

ROOT = "/apis/custom.metrics.k8s.io/v1beta2"
PATH = f"{ROOT}/namespaces/default/pods/*/weir_concurrency_limit"
LABELS = "app.kubernetes.io/name=weir-metrics-adapter"


@pytest.fixture
def adapters(cluster, kubelet):
    """The addresses of two replicas, which are ready, and with them two pods that they ask."""
    with installed(cluster, {"adapter": {"enabled": True}, "settings": {"WEIR_CONCURRENCY": 7}, "drain": {"delay": 1}}):

        def ready():
            pods = [pod for pod in cluster.list("Pod", labels=LABELS) if is_serving(pod)]
            return [pod["status"]["podIP"] for pod in pods] if len(pods) == 2 else None

        found = eventually(ready, "two adapters are ready", 60)
        eventually(lambda: through_the_api_server(cluster) == [7, 7], "the API server asks them", 60)
        yield found


def values(answer):
    return [int(item["value"]) for item in answer["items"]]


def through_the_api_server(cluster):
    try:
        return values(cluster.client.request("get", PATH).to_dict())
    except ApiException:
        return None


def directly(address, cluster, pair):
    """What a replica answers to who shows this certificate, by the CA that it has written into its APIService."""
    service = cluster.get("APIService", "v1beta2.custom.metrics.k8s.io")
    bundle = base64.b64decode(service["spec"]["caBundle"]).decode()
    return ask(address, trust(bundle, pair))


def trust(bundle, pair):
    context = ssl.create_default_context(cadata=bundle)
    # It is for the name of the Service, which nobody resolves here.
    context.check_hostname = False
    if pair:
        context.load_cert_chain(*pair)
    return context


def ask(address, context):
    connection = http.client.HTTPSConnection(address, 6443, timeout=5, context=context)
    try:
        connection.request("GET", PATH, headers={"X-Remote-User": "system:kube-controller-manager"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_two_replicas_agree(cluster, plane, adapters):
    for address in adapters:
        status, body = directly(address, cluster, plane.front_pair)
        assert status == 200 and values(json.loads(body)) == [7, 7]


def test_nobody_but_the_aggregation_layer_is_answered(cluster, plane, adapters):
    for address in adapters:
        assert directly(address, cluster, None)[0] == 401
        # The cluster's other CA has signed this one.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            directly(address, cluster, plane.admin_pair)


def test_what_was_known_is_answered_while_the_api_server_is_away(cluster, plane, adapters):
    service = cluster.get("APIService", "v1beta2.custom.metrics.k8s.io")
    context = trust(base64.b64decode(service["spec"]["caBundle"]).decode(), plane.front_pair)
    plane.stop_api()
    try:
        for address in adapters:
            status, body = ask(address, context)
            assert status == 200 and values(json.loads(body)) == [7, 7]
    finally:
        plane.start_api()
    eventually(lambda: through_the_api_server(cluster) == [7, 7], "the API server asks them again", 60)
