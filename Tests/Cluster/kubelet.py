# SPDX-License-Identifier: Apache-2.0
# A stand-in for the kubelet: watches pods, and makes each one processes in namespaces and control groups of their own.

import threading
import time

from limits import remove_old
from pod import AWAY, Pod

RETRY_SECONDS = 0.5


class Kubelet:
    node = "node-1"

    def __init__(self, cluster, network, authority, images, folder):
        """`images` has the command of each image by its name, without registry and tag."""
        self.cluster, self.network, self.authority = cluster, network, authority
        self.images, self.folder = images, folder
        self.pods, self.lock, self.failures = {}, threading.Lock(), []
        self.closing = threading.Event()
        remove_old()
        self._register()
        self.thread = threading.Thread(target=self._follow, name="kubelet", daemon=True)
        self.thread.start()

    def image(self, name):
        return self.images[name.rsplit("/", 1)[-1].partition(":")[0]]

    @property
    def is_closed(self):
        return self.closing.is_set()

    def pod(self, name, namespace="default"):
        with self.lock:
            return next((one for one in self.pods.values() if (one.name, one.namespace) == (name, namespace)), None)

    def used_seconds(self):
        """The CPU time of each pod so far, by its name."""
        with self.lock:
            return {pod.name: pod.used_seconds for pod in self.pods.values() if pod.is_running}

    # The node

    def _register(self):
        self.cluster.create("Node", {"metadata": {"name": self.node, "labels": {"kubernetes.io/hostname": self.node}}})
        room = {"cpu": "64", "memory": "64Gi", "pods": "200"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        self.cluster.patch_status("Node", self.node, {"capacity": room, "allocatable": room, "conditions": [ready]})

    # Its pods

    def _follow(self):
        while not self.is_closed:
            try:
                self._follow_once()
            except AWAY:
                pass
            self.closing.wait(RETRY_SECONDS)

    def _follow_once(self):
        """A list, and what happens from then on for a while."""
        resource = self.cluster.resource("Pod")
        listed = resource.get().to_dict()
        for object in listed["items"]:
            self._take(object)
        known = {object["metadata"]["uid"] for object in listed["items"]}
        with self.lock:
            missing = [pod for uid, pod in self.pods.items() if uid not in known]
        for pod in missing:
            pod.end(0)
        for event in resource.watch(resource_version=listed["metadata"]["resourceVersion"], timeout=60):
            if self.is_closed:
                return
            if event["type"] == "ERROR":
                return
            self._take(event["raw_object"], event["type"] == "DELETED")

    def _take(self, object, is_deleted=False):
        metadata = object["metadata"]
        with self.lock:
            pod = self.pods.get(metadata["uid"])
            if pod is None and not is_deleted and not metadata.get("deletionTimestamp"):
                self.pods[metadata["uid"]] = Pod(self, object)
                return
        if is_deleted and pod:
            pod.end(0)
        elif metadata.get("deletionTimestamp"):
            grace = metadata.get("deletionGracePeriodSeconds") or 0
            if pod:
                pod.end(grace)
            else:
                # Deleted before it was seen: nothing runs.
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
                self.cluster.delete("Pod", metadata["name"], metadata["namespace"], **options)

    def failed(self, pod, error):
        self.failures.append(f"{pod.namespace}/{pod.name}: {error!r}")

    def gone(self, pod):
        with self.lock:
            self.pods.pop(pod.uid, None)

    def close(self):
        """Ends what still runs; within a bounded time, as each pod has a grace period."""
        self.closing.set()
        with self.lock:
            pods = list(self.pods.values())
        for pod in pods:
            pod.end(2)
        end = time.monotonic() + 20
        for pod in pods:
            pod.thread.join(max(end - time.monotonic(), 0))
        remove_old()
        assert not self.failures, self.failures
