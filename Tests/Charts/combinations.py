# SPDX-License-Identifier: Apache-2.0
# Values to render: each feature by itself, in each mode, and all of them together.

APP = {
    "name": "orders",
    "image": "registry.example.com/orders:1.0.0",
    "ports": [{"name": "app", "containerPort": 3000}],
}

DIGEST = "sha256:" + "0" * 64

# What may be switched on, away from the defaults.
FEATURES = {
    "names": {"fullnameOverride": "edge", "nameOverride": "gateway"},
    "image": {"image": {"repository": "registry.example.com/weir", "digest": DIGEST, "pullPolicy": "Always"}},
    "pull secrets": {"imagePullSecrets": [{"name": "registry"}]},
    "replicas": {"replicas": 5},
    "settings": {"settings": {"WEIR_CONCURRENCY": 1000000, "WEIR_DEADLINE": "5s", "WEIR_PIN": True}},
    "variables": {"env": [{"name": "WEIR_REDIS", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}}]},
    "file": {"config": {"content": {"queue": 1000000, "routes": [{"redirect": {"to": "https://shop.example.com"}}]}}},
    "file, restart": {"config": {"content": {"deadline": "10s"}, "onChange": "restart"}},
    "file of others": {"config": {"existing": "routes"}},
    "token": {"adminToken": {"secret": "weir-admin"}},
    "tls": {"tls": {"secrets": ["shop-tls", "shop.example"], "ticketKeysSecret": "tickets"}},
    "tls only": {"tls": {"secrets": ["shop-tls"], "only": True}},
    "drain": {"drain": {"delay": 20, "timeout": 120}},
    "resources": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}},
    "service": {
        "service": {
            "type": "LoadBalancer",
            "port": 8000,
            "annotations": {"a": "b"},
            "externalTrafficPolicy": "Local",
        }
    },
    "hpa": {"autoscaling": {"mode": "hpa", "target": 0.6, "min": 1, "max": 100}},
    "keda": {"autoscaling": {"mode": "keda-metrics-api"}},
    "keda, prometheus": {"autoscaling": {"mode": "keda-prometheus"}},
    "keda, prometheus, one trigger": {"autoscaling": {"mode": "keda-prometheus", "queue": 0}},
    "no budget": {"podDisruptionBudget": {"enabled": False}},
    "budget in percent": {"podDisruptionBudget": {"maxUnavailable": "25%"}},
    "no spread": {"topologySpread": {"enabled": False}},
    "strict spread": {"topologySpread": {"whenUnsatisfiable": "DoNotSchedule"}},
    "network policy": {"networkPolicy": {"enabled": True}},
    "narrow network policy": {
        "networkPolicy": {
            "enabled": True,
            "from": [{"podSelector": {"matchLabels": {"app": "front"}}}],
            "adminFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 3000}]}],
        }
    },
    "service monitor": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "pod monitor": {"podMonitor": {"enabled": True, "podTargetLabels": ["rollouts-pod-template-hash"]}},
    "rules": {"prometheusRule": {"enabled": True, "runbooks": "https://git.example.com/weir/docs/runbooks.md#"}},
    "dashboard": {"dashboard": {"enabled": True}},
    "no account": {"serviceAccount": {"create": False}},
    "account": {"serviceAccount": {"name": "edge", "annotations": {"a": "b"}}},
    "discovery": {"discovery": {"enabled": True, "namespaces": ["shop", "stock"], "zone": "label"}},
    "volumes": {
        "volumes": [{"name": "baseline", "persistentVolumeClaim": {"claimName": "baseline"}}],
        "volumeMounts": [{"name": "baseline", "mountPath": "/baseline"}],
    },
    "placement": {
        "podLabels": {"team": "shop"},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    },
    "adapter": {"adapter": {"enabled": True}},
    "adapter, cert-manager": {
        "adapter": {
            "enabled": True,
            "certificate": "cert-manager",
            "external": True,
            "replicas": 3,
            "env": [{"name": "WEIR_LOG_LEVEL", "value": "debug"}],
            "args": ["--help"],
        }
    },
    "adapter, admin ports by TLS": {
        "adapter": {"enabled": True, "adminTLS": {"secret": "pods-ca", "serverName": "pods.shop"}}
    },
}

MODES = {
    "gateway": {"upstream": ["http://orders.shop.svc:3000;weight=3", "unix:/run/orders.sock"]},
    "demo": {},
    "sidecar": {"mode": "sidecar", "sidecar": {"app": APP}},
    "sidecar by time": {"mode": "sidecar", "sidecar": {"app": APP, "drain": {"command": []}}},
    "sidecar by kubelet": {"mode": "sidecar", "sidecar": {"app": APP, "drain": {"token": "0123456789abcdef"}}},
}


# Each feature in each mode, but for the two that both set the token.
PAIRS = [(mode, name) for mode in MODES for name in FEATURES if (mode, name) != ("sidecar by kubelet", "token")]


def merged(*layers):
    """Values put over each other as helm does."""
    result = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


ALL = merged(*(FEATURES[name] for name in [
    "image", "pull secrets", "settings", "variables", "file, restart", "tls", "drain", "service", "keda, prometheus",
    "budget in percent", "strict spread", "narrow network policy", "service monitor", "rules", "dashboard", "account",
    "discovery", "volumes", "placement", "adapter, cert-manager",
]))  # fmt: skip
