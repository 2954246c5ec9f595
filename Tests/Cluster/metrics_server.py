# SPDX-License-Identifier: Apache-2.0
# What metrics-server is in a cluster: the CPU that pods use, as `metrics.k8s.io/v1beta1`, so that a real HPA can scale
# on it. The figures are the CPU time of the pods' control groups, read each 15 s, as metrics-server does.

import datetime
import json
import ssl
import threading
import time
import urllib.parse

from answering import Handler, Listener
from network import NODE_ADDRESS

RESOLUTION_SECONDS = 15
PORT = 4443
ROOT = "/apis/metrics.k8s.io/v1beta1"
PODS = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": "metrics.k8s.io/v1beta1",
    "resources": [PODS],
}


class MetricsServer:
    def __init__(self, cluster, kubelet, pair):
        self.cluster, self.kubelet = cluster, kubelet
        # By pod: the CPU time at the last reading and when that was, and the use between the last two.
        self.read, self.use = {}, {}
        self.ends = threading.Event()
        outer = self

        class Metrics(Handler):
            def do_GET(self):
                self.answer(json.dumps(outer.answer(self.path)).encode(), Content_Type="application/json")

        self.server = Listener((NODE_ADDRESS, PORT), Metrics)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        for work in (self.server.serve_forever, self._read_on):
            threading.Thread(target=work, daemon=True).start()
        self._register()

    def _register(self):
        port = {"port": 443, "targetPort": PORT}
        self.cluster.create("Service", {"metadata": {"name": "metrics-server"}, "spec": {"ports": [port]}})
        subset = {"addresses": [{"ip": NODE_ADDRESS}], "ports": [{"port": PORT}]}
        self.cluster.create("Endpoints", {"metadata": {"name": "metrics-server"}, "subsets": [subset]})
        service = {"namespace": "default", "name": "metrics-server"}
        spec = {"group": "metrics.k8s.io", "version": "v1beta1", "service": service, "insecureSkipTLSVerify": True}
        spec |= {"groupPriorityMinimum": 100, "versionPriority": 100}
        self.cluster.create("APIService", {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": spec})

    def _read_on(self):
        while not self.ends.wait(RESOLUTION_SECONDS):
            at = datetime.datetime.now(datetime.timezone.utc)
            now = {}
            for name, used in self.kubelet.used_seconds().items():
                now[name] = (used, time.monotonic())
                if name in self.read:
                    before, then = self.read[name]
                    self.use[name] = ((used - before) / (now[name][1] - then), at)
            self.read = now

    def answer(self, target):
        path, _, query = target.partition("?")
        if path.rstrip("/") == ROOT:
            return RESOURCES
        labels = urllib.parse.parse_qs(query).get("labelSelector", [""])[0]
        items = []
        for pod in self.cluster.list("Pod", labels=labels):
            name = pod["metadata"]["name"]
            if name not in self.use:
                continue
            used, at = self.use[name]
            metadata = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels")}
            usage = {"cpu": f"{round(used * 1e9)}n", "memory": "1Mi"}
            items.append({
                "metadata": metadata, "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": f"{RESOLUTION_SECONDS}s", "containers": [{"name": "all", "usage": usage}],
            })  # fmt: skip
        return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}

    def close(self):
        self.ends.set()
        self.server.shutdown()
        self.server.server_close()
        self.cluster.delete("APIService", "v1beta1.metrics.k8s.io")
        self.cluster.delete("Endpoints", "metrics-server")
        self.cluster.delete("Service", "metrics-server")
