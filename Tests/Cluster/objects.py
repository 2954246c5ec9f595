# SPDX-License-Identifier: Apache-2.0
# The objects that tests create: a service of a few places, in front of which nothing stands but its Service.

ADMIN_PORT, PORT = 9901, 8080


def probe(path, period=1, failures=2):
    return {"httpGet": {"path": path, "port": "admin"}, "periodSeconds": period, "failureThreshold": failures}


def container(name="hello", image="hello:0.1.0", cpu="100m", **settings):
    return {
        "name": name,
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}, {"name": "admin", "containerPort": ADMIN_PORT}],
        "env": [{"name": key, "value": str(value)} for key, value in settings.items()],
        "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}},
        "startupProbe": probe("/startupz", failures=30),
        "readinessProbe": probe("/readyz"),
    }


def deployment(name, replicas, containers, grace=30, **spec):
    labels = {"app": name}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            # No pod goes before the one in its place is ready.
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                # The second is what the metrics adapter looks for.
                "metadata": {"labels": {**labels, "weir.dev/metrics": "true"}},
                "spec": {"containers": containers, "terminationGracePeriodSeconds": grace, **spec},
            },
        },
    }


def service(name, port=PORT):
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": port}]},
    }


def may_read_slices(account="gateway", kind="User"):
    """A Role and its binding: docs/discovery.md has the same."""
    rule = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    name = f"discovery-{account}"
    subject = {"kind": kind, "name": account}
    subject |= {"namespace": "default"} if kind == "ServiceAccount" else {"apiGroup": "rbac.authorization.k8s.io"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    return (
        {"metadata": {"name": name}, "rules": [rule]},
        {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]},
    )


def autoscaler(name, metric, most=20, down_window=300):
    """The HPA of manifests/hpa, in the version that this control plane serves; from one pod on."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    up = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 900, "periodSeconds": 15}]}
    slowly = {"type": "Percent", "value": 50, "periodSeconds": 60}
    down = {"stabilizationWindowSeconds": down_window, "policies": [slowly]}
    return {
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": reference,
            "minReplicas": 1,
            "maxReplicas": most,
            "metrics": [metric],
            "behavior": {"scaleUp": up, "scaleDown": down},
        },
    }


def utilization(target="750m"):
    average = {"type": "AverageValue", "averageValue": target}
    return {"type": "Pods", "pods": {"metric": {"name": "weir_utilization_ratio"}, "target": average}}


def cpu(cores):
    """So much for each pod, on average."""
    average = {"type": "AverageValue", "averageValue": f"{round(cores * 1e6)}u"}
    return {"type": "Resource", "resource": {"name": "cpu", "target": average}}
