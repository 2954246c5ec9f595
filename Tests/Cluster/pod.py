# SPDX-License-Identifier: Apache-2.0
# A pod as processes: from its binding to its last word to the API server. Each has a thread.

import datetime
import functools
import threading

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from container import Container
from network import NODE_ADDRESS, Sandbox
from plane import PORT

LOOK_SECONDS = 0.2
AWAY = (ApiException, HTTPError, OSError)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pod:
    def __init__(self, kubelet, object):
        self.kubelet, self.object = kubelet, object
        metadata = object["metadata"]
        self.uid, self.name, self.namespace = metadata["uid"], metadata["name"], metadata["namespace"]
        self.folder = kubelet.folder / f"{self.namespace}_{self.name}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.containers, self.sandbox, self.told, self.started_at = [], None, None, now()
        self.ends, self.grace = threading.Event(), 30
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return self.sandbox.address

    @property
    def is_running(self):
        return self.told is not None and not self.ends.is_set()

    @property
    def used_seconds(self):
        """The CPU time of its containers so far."""
        return sum(container.limits.used_seconds for container in self.containers)

    def end(self, grace):
        self.grace = grace
        self.ends.set()

    # Its life

    def _run(self):
        try:
            self._bind()
            account = self._account()
            self.sandbox = Sandbox(self.kubelet.network, self.folder / "sandbox.log", account)
            for spec in self.object["spec"]["containers"]:
                self.containers.append(Container(self, spec, self.kubelet.image(spec["image"])))
            while not self.ends.wait(LOOK_SECONDS):
                for container in self.containers:
                    container.look()
                self._tell()
        except Exception as error:
            self.kubelet.failed(self, error)
        finally:
            self._finish()

    def _finish(self):
        endings = [container.end(self.grace) for container in self.containers]
        for ending in endings:
            ending.join()
        if self.sandbox:
            self.sandbox.close()
        for container in self.containers:
            container.limits.remove()
        if self.ends.is_set():
            self._delete()
        self.kubelet.gone(self)

    # The API server, which may be away for a while

    def _until_done(self, call):
        while not self.kubelet.is_closed:
            try:
                return call()
            except ApiException as error:
                if error.status in (404, 409):
                    return None
            except AWAY:
                pass
            self.kubelet.closing.wait(LOOK_SECONDS)

    def _bind(self):
        if self.object["spec"].get("nodeName"):
            return
        target = {"kind": "Node", "name": self.kubelet.node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.name}, "target": target}
        bind = self.kubelet.cluster.resource("Pod").binding.create
        self._until_done(functools.partial(bind, body=body, name=self.name, namespace=self.namespace, serialize=False))

    def _delete(self):
        delete = self.kubelet.cluster.resource("Pod").delete
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        self._until_done(functools.partial(delete, name=self.name, namespace=self.namespace, body=options))

    def _tell(self):
        """What has changed since it was told last; tried again with the next look."""
        is_ready = all(container.is_ready for container in self.containers)
        statuses = [container.status for container in self.containers]
        if statuses == self.told:
            return
        if self.told is None or is_ready != self.was_ready:
            self.was_ready, self.changed_at = is_ready, now()
        flags = {"Initialized": True, "PodScheduled": True, "ContainersReady": is_ready, "Ready": is_ready}
        status = {
            "phase": "Running", "hostIP": NODE_ADDRESS, "podIP": self.address, "podIPs": [{"ip": self.address}],
            "startTime": self.started_at, "containerStatuses": statuses,
            "conditions": [
                {"type": type, "status": str(flag), "lastTransitionTime": self.changed_at}
                for type, flag in flags.items()
            ],
        }  # fmt: skip
        try:
            self.kubelet.cluster.patch_status("Pod", self.name, status, self.namespace)
            self.told = statuses
        except AWAY:
            pass

    # What it finds

    def _account(self):
        """The folder of its service account, with a token that the API server has made; None where it wants none."""
        spec = self.object["spec"]
        if spec.get("automountServiceAccountToken") is False:
            return None
        name = spec.get("serviceAccountName") or "default"
        folder = self.folder / "account"
        folder.mkdir(exist_ok=True)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        make = self.kubelet.cluster.resource("ServiceAccount").token.create
        answer = self._until_done(functools.partial(make, body=body, name=name, namespace=self.namespace))
        if answer is None:
            return None
        (folder / "token").write_text(answer.to_dict()["status"]["token"])
        (folder / "ca.crt").write_bytes(self.kubelet.authority.read_bytes())
        (folder / "namespace").write_text(self.namespace)
        return folder

    def field(self, path):
        """What a `fieldRef` of its environment names."""
        fields = {"status.podIP": self.address, "status.hostIP": NODE_ADDRESS, "spec.nodeName": self.kubelet.node}
        if path in fields:
            return fields[path]
        found = self.object
        for part in path.split("."):
            found = found.get(part, {})
        return str(found or "")

    def service_links(self):
        """The variables for the Services of its namespace, and for the API server, as a kubelet makes them."""
        found = {"KUBERNETES_SERVICE_HOST": NODE_ADDRESS, "KUBERNETES_SERVICE_PORT": str(PORT)}
        if self.object["spec"].get("enableServiceLinks") is False:
            return found
        for service in self._until_done(lambda: self.kubelet.cluster.list("Service", self.namespace)) or []:
            if service["metadata"]["name"] != "kubernetes" and service["spec"].get("clusterIP", "None") != "None":
                found.update(links_of(service))
        return found


def links_of(service):
    name = service["metadata"]["name"].upper().replace("-", "_")
    address, ports = service["spec"]["clusterIP"], service["spec"]["ports"]
    first = ports[0]
    links = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(first["port"]),
        f"{name}_PORT": f"{first.get('protocol', 'TCP').lower()}://{address}:{first['port']}",
    }
    for port in ports:
        protocol = port.get("protocol", "TCP")
        begin = f"{name}_PORT_{port['port']}_{protocol}"
        links[begin] = f"{protocol.lower()}://{address}:{port['port']}"
        links |= {f"{begin}_PROTO": protocol.lower(), f"{begin}_PORT": str(port["port"]), f"{begin}_ADDR": address}
        if port.get("name"):
            links[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    return links
