# SPDX-License-Identifier: Apache-2.0
# What tests and the stand-in for the kubelet ask the API server, by the client that Python programs use for it. Objects
# are plain dictionaries.

import kubernetes
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from polling import eventually

VERSIONS = {
    "Pod": "v1", "Node": "v1", "Service": "v1", "ServiceAccount": "v1", "Namespace": "v1", "ConfigMap": "v1",
    "Endpoints": "v1", "Secret": "v1",
    "Deployment": "apps/v1", "HorizontalPodAutoscaler": "autoscaling/v2beta2",
    "EndpointSlice": "discovery.k8s.io/v1beta1", "APIService": "apiregistration.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1", "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
}  # fmt: skip
MERGE = "application/merge-patch+json"


class Cluster:
    def __init__(self, kubeconfig):
        self.kubeconfig = kubeconfig
        self.client = DynamicClient(kubernetes.config.new_client_from_config(str(kubeconfig)))
        self.resources = {}

    def resource(self, kind):
        if kind not in self.resources:
            self.resources[kind] = self.client.resources.get(api_version=VERSIONS[kind], kind=kind)
        return self.resources[kind]

    def create(self, kind, object, namespace="default"):
        body = {"apiVersion": VERSIONS[kind], "kind": kind, **object}
        return self.resource(kind).create(body=body, namespace=namespace).to_dict()

    def apply(self, object, namespace="default"):
        """Creates an object that says itself what it is."""
        resource = self.client.resources.get(api_version=object["apiVersion"], kind=object["kind"])
        place = object["metadata"].get("namespace", namespace) if resource.namespaced else None
        return resource.create(body=object, namespace=place).to_dict()

    def remove(self, object, namespace="default"):
        resource = self.client.resources.get(api_version=object["apiVersion"], kind=object["kind"])
        place = object["metadata"].get("namespace", namespace) if resource.namespaced else None
        body = {"propagationPolicy": "Background"}
        try:
            resource.delete(name=object["metadata"]["name"], namespace=place, body=body)
        except ApiException as error:
            if error.status != 404:
                raise

    def get(self, kind, name, namespace="default"):
        """None where there is none."""
        try:
            return self.resource(kind).get(name=name, namespace=namespace).to_dict()
        except ApiException as error:
            if error.status != 404:
                raise
            return None

    def list(self, kind, namespace="default", labels=None):
        return self.resource(kind).get(namespace=namespace, label_selector=labels).to_dict()["items"]

    def patch(self, kind, name, body, namespace="default"):
        return self.resource(kind).patch(name=name, namespace=namespace, body=body, content_type=MERGE).to_dict()

    def patch_status(self, kind, name, status, namespace="default"):
        body = {"apiVersion": VERSIONS[kind], "kind": kind, "status": status}
        resource = self.resource(kind).status
        return resource.patch(name=name, namespace=namespace, body=body, content_type=MERGE).to_dict()

    def delete(self, kind, name, namespace="default", **options):
        try:
            self.resource(kind).delete(name=name, namespace=namespace, body=options or None)
        except ApiException as error:
            if error.status not in (404, 409):
                raise

    # What becomes of things

    def pods(self, app, namespace="default"):
        return self.list("Pod", namespace, f"app={app}")

    def ready_pods(self, app, namespace="default"):
        """Those that serve and are not to end."""
        return [pod for pod in self.pods(app, namespace) if is_serving(pod)]

    def wait_for_pods(self, app, count, seconds=60):
        """Until so many are ready, and there is no other."""

        def met():
            pods = self.pods(app)
            return len(pods) == count and all(is_serving(pod) for pod in pods)

        eventually(met, f"{count} pods of {app} are ready, and no other is there", seconds)
        return self.pods(app)

    def wait_for_rollout(self, name, seconds=120):
        def met():
            object = self.get("Deployment", name)
            status, replicas = object.get("status", {}), object["spec"]["replicas"]
            return (
                status.get("observedGeneration") == object["metadata"]["generation"]
                and status.get("updatedReplicas") == replicas == status.get("availableReplicas")
                and len(self.pods(name)) == replicas
            )

        eventually(met, f"{name} is rolled out", seconds)

    def scale(self, name, replicas):
        self.patch("Deployment", name, {"spec": {"replicas": replicas}})


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def is_ending(pod):
    return pod["metadata"].get("deletionTimestamp") is not None


def is_serving(pod):
    return is_ready(pod) and not is_ending(pod)
