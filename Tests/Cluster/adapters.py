# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter` as the chart installs it, with pods that it asks: the concurrency limit of each is known, so
# it is known what the adapter has to say. Asked by the API server and, as the API server asks it, by itself.

import base64
import contextlib
import http.client
import json
import ssl

from kubernetes.client.exceptions import ApiException

from chart import installed
from cluster import is_serving
from plane import RECOVERY_SECONDS
from polling import eventually

ROOT = "/apis/custom.metrics.k8s.io/v1beta2"
LIMIT = 7
PATH = f"{ROOT}/namespaces/default/pods/*/weir_concurrency_limit?labelSelector=app.kubernetes.io/name%3Dweir"
LABELS = "app.kubernetes.io/name=weir-metrics-adapter"
SECRET, HOST = "weir-metrics-adapter-tls", "weir-metrics-adapter.default.svc"
# How long it waits between two tries of the API server, at most.
BACKOFF_SECONDS = 30
VALUES = {
    # So often it looks at its Secret.
    "adapter": {"enabled": True, "env": [{"name": "WEIR_ADAPTER_REFRESH", "value": "2s"}]},
    "settings": {"WEIR_CONCURRENCY": LIMIT},
    "drain": {"delay": 1},
}


class Adapters:
    """Two replicas, and two pods that they ask."""

    def __init__(self, cluster, kubelet, plane):
        self.cluster, self.kubelet, self.plane = cluster, kubelet, plane
        self.names = [pod["metadata"]["name"] for pod in ready_adapters(cluster, 2)]
        self.wait_until_asked()

    @property
    def addresses(self):
        return [self.kubelet.pod(name).address for name in self.names]

    def wait_until_asked(self, count=2):
        """Until the API server has the limits of so many pods from them."""

        def met():
            answer = through_the_api_server(self.cluster)
            return answer is not None and values(answer) == [LIMIT] * count

        eventually(met, f"the API server is told of {count} pods", RECOVERY_SECONDS)

    def trust(self, pair=None):
        """How the aggregation layer connects, which has this certificate, and believes what `caBundle` says now."""
        context = ssl.create_default_context(cadata=bundle(self.cluster))
        # It is for the name of the Service, which nobody resolves here.
        context.check_hostname = False
        if pair:
            context.load_cert_chain(*pair)
        return context

    def expect_answers(self, trust):
        """Each for itself, whatever the API server does."""
        for address in self.addresses:
            status, body = ask(address, trust)
            assert status == 200 and values(json.loads(body)) == [LIMIT, LIMIT]

    def wait_for_line(self, *texts):
        """Until each has written a line with all of these."""

        def met():
            return all(
                any(all(text in line for text in texts) for line in lines_of(self.kubelet, name)) for name in self.names
            )

        eventually(met, f"both say {texts}", BACKOFF_SECONDS + 10)


@contextlib.contextmanager
def adapters_of_the_chart(cluster, kubelet, plane):
    with installed(cluster, VALUES):
        yield Adapters(cluster, kubelet, plane)


def ready_adapters(cluster, count):
    """The pods of so many replicas, once they are ready."""

    def ready():
        pods = [pod for pod in cluster.list("Pod", labels=LABELS) if is_serving(pod)]
        return pods if len(pods) == count else None

    return eventually(ready, f"{count} adapters are ready", 60)


def values(answer):
    return [int(item["value"]) for item in answer["items"]]


def through_the_api_server(cluster, path=PATH):
    """None where it has no answer."""
    try:
        return cluster.client.request("get", path).to_dict()
    except ApiException:
        return None


def lines_of(kubelet, name):
    """What the adapter in this pod has written so far."""
    return kubelet.pod(name).containers[0].log.read_text().splitlines()


def bundle(cluster):
    """The CAs that the aggregation layer believes."""
    service = cluster.get("APIService", "v1beta2.custom.metrics.k8s.io")
    return base64.b64decode(service["spec"]["caBundle"]).decode()


def ask(address, trust):
    connection = http.client.HTTPSConnection(address, 6443, timeout=5, context=trust)
    try:
        connection.request("GET", PATH, headers={"X-Remote-User": "system:kube-controller-manager"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def shown_by(address, trust):
    """The certificate that a replica shows, in DER; None where the aggregation layer does not believe it."""
    connection = http.client.HTTPSConnection(address, 6443, timeout=5, context=trust)
    try:
        connection.connect()
        return connection.sock.getpeercert(binary_form=True)
    except ssl.SSLError:
        return None
    finally:
        connection.close()
