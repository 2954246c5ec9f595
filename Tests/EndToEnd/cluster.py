# SPDX-License-Identifier: Apache-2.0
# As much of a Kubernetes cluster as the metrics adapter needs: pods and services that are listed and watched, and a few
# objects that are read and changed. And who asks the adapter: the aggregation layer, with its certificate.

import base64
import copy
import http.client
import json
import socket
import ssl
import threading
import urllib.parse

from kubernetes_api import Watched, status
from polling import PATIENCE_SECONDS, eventually
from secure_upstream import SecureUpstream
from upstream import Upstream, answer

SERVICE = {"namespace": "shop", "name": "weir-metrics-adapter"}
HOST = "weir-metrics-adapter.shop.svc"
FRONT_PROXY = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
SECRET = "/api/v1/namespaces/shop/secrets/weir-metrics-adapter-tls"
APIS = "/apis/apiregistration.k8s.io/v1/apiservices/"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop"
VERSIONS = ("v1beta2.custom.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io")


def pod(name, server=None, ready=True, labels=None, namespace="shop", port=None, ip="127.0.0.1", **metadata):
    """A pod whose admin port is that of a process here."""
    annotations = {"weir.dev/admin-port": str(port or server.admin_port)}
    labels = {"weir.dev/metrics": "true", "app": "orders", **(labels or {})}
    return {
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels, "annotations": annotations,
            **metadata,
        },
        "status": {
            "phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }  # fmt: skip


def service(name, selector, namespace="shop"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}


class Objects(Watched):
    """Pods or services of all namespaces."""

    def __init__(self, kind):
        super().__init__()
        self.kind = f"{kind}List"

    @staticmethod
    def name_of(thing):
        return f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"

    def selects(self, query, thing):
        pairs = [pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair]
        labels = thing["metadata"].get("labels", {})
        return all(labels.get(key) == value for key, value in pairs)


class Cluster:
    """With the context of a TLS server its API server is asked by https."""

    def __init__(self, authority, names=("front-proxy-client",), context=None):
        self.pods, self.services = Objects("Pod"), Objects("Service")
        self.changed, self.objects, self.version = threading.Condition(), {}, 1000
        self.token, self.refused, self.writes = None, set(), []
        # Paths that were asked for with another token.
        self.denied = []
        self.put(FRONT_PROXY, {"metadata": {"name": "extension-apiserver-authentication"}})
        self.trust(authority, names)
        for name in VERSIONS:
            self.put(APIS + name, {"metadata": {"name": name}, "spec": {"service": SERVICE}})
        self.context = context
        self.upstream = self._listen(0)
        self.port, self.url = self.upstream.port, self.upstream.url

    def _listen(self, port):
        if self.context:
            return SecureUpstream(self.context, self._serve, port=port)
        return Upstream(self._serve, port=port)

    def trust(self, authority, names=("front-proxy-client",)):
        """Says who signs the front proxy's certificate, and whom it may name."""
        data = {
            "requestheader-client-ca-file": authority.file.read_text(),
            "requestheader-allowed-names": json.dumps(list(names)),
            "requestheader-username-headers": '["X-Remote-User"]',
        }
        self.put(FRONT_PROXY, {**self.objects[FRONT_PROXY], "data": data})

    def put(self, path, thing):
        with self.changed:
            self.version += 1
            thing = copy.deepcopy(thing)
            thing["metadata"]["resourceVersion"] = str(self.version)
            self.objects[path] = thing
            self.changed.notify_all()

    def bundle(self, name=VERSIONS[0]):
        """The CAs that the aggregation layer believes, PEM; empty for none."""
        return base64.b64decode(self.objects[APIS + name]["spec"].get("caBundle", "")).decode()

    def down(self):
        self.upstream.stop_listening()
        for one in (self.pods, self.services):
            one.end_watches()
        self.upstream.close()

    def up(self):
        self.upstream = self._listen(self.port)

    def close(self):
        for one in (self.pods, self.services):
            one.end_watches()
        self.upstream.close()

    # What is asked

    def _serve(self, peer):
        while True:
            request = peer.request()
            path, _, query = request.target.partition("?")
            query = {key: values[0] for key, values in urllib.parse.parse_qs(query).items()}
            watched = {"/api/v1/pods": self.pods, "/api/v1/services": self.services}.get(path)
            if self.token and request.header("authorization") != f"Bearer {self.token}":
                self.denied.append(path)
                peer.send(status(401, "Unauthorized"))
            elif any(word in path for word in self.refused):
                peer.send(status(403, f"{path} is forbidden"))
            elif watched and "watch" in query:
                watched.watch(peer, query)
            elif watched:
                peer.send(watched.list(query))
            else:
                peer.send(self._object(request, path))

    def _object(self, request, path):
        with self.changed:
            if request.method != "GET":
                self.writes.append((request.method, path))
            body = json.loads(request.body) if request.body else None
            if request.method == "POST":
                path = f"{path}/{body['metadata']['name']}"
                if path in self.objects:
                    return status(409, "it exists already")
                self.put(path, body)
            elif path not in self.objects:
                return status(404, f"{path} not found")
            elif request.method == "PATCH":
                present = self.objects[path]
                expected = body.get("metadata", {}).pop("resourceVersion", None)
                if expected not in (None, present["metadata"]["resourceVersion"]):
                    return status(409, "the object has been modified")
                self.put(path, merged(present, body))
            return answer(json.dumps(self.objects[path]).encode(), headers=["Content-Type: application/json"])


def merged(target, change):
    """RFC 7396."""
    if not isinstance(change, dict):
        return change
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merged(target.get(key), value)
    return target


class Aggregator:
    """Asks an adapter as the API server does: it believes `caBundle` alone, and shows the front proxy's certificate."""

    def __init__(self, adapter, cluster, pair=None):
        self.adapter, self.cluster, self.pair = adapter, cluster, pair

    def context(self):
        context = ssl.create_default_context(cadata=self.cluster.bundle())
        if self.pair:
            context.load_cert_chain(*self.pair)
        return context

    def connect(self):
        connection = Connection(self.adapter.port, self.context())
        connection.connect()
        return connection

    def get(self, path, user="system:kube-controller-manager", connection=None):
        """Status and JSON of an answer."""
        used = connection or self.connect()
        try:
            used.request("GET", path, headers={"X-Remote-User": user} if user else {})
            response = used.getresponse()
            return response.status, json.loads(response.read())
        finally:
            if not connection:
                used.close()

    def items(self, path):
        code, body = self.get(path)
        assert code == 200, body
        return body["items"]


class Connection(http.client.HTTPSConnection):
    """To this machine, where the certificate is for the Service."""

    def __init__(self, port, context):
        super().__init__(HOST, port, context=context, timeout=PATIENCE_SECONDS)
        # What `connect` makes the socket by, before its handshake for the name.
        self._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), *rest)


def wait_until_ready(adapter):
    """The answer of the adapter's own probe, by whatever certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def is_ready():
        connection = http.client.HTTPSConnection("127.0.0.1", adapter.port, context=context, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        finally:
            connection.close()

    eventually(is_ready, "the adapter is ready")


def values(aggregator, metric="weir_utilization_ratio", query="", of="pods/*"):
    return {
        item["describedObject"]["name"]: item["value"]
        for item in aggregator.items(f"{CUSTOM}/{of}/{metric}{query}")
    }


def wait_for_pods(aggregator, *names):
    """Until these have answered, and no others."""

    def are_there():
        code, body = aggregator.get(f"{CUSTOM}/pods/*/weir_utilization_ratio")
        found = [item["describedObject"]["name"] for item in body["items"]] if code == 200 else []
        return sorted(found) == sorted(names)

    eventually(are_there, f"{names} are answered for")
