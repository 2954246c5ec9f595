# SPDX-License-Identifier: Apache-2.0
# The chart on a control plane: the HPA scales the gateway on `weir_utilization_ratio`, which it has from `weir
# metrics-adapter` by the aggregation layer, and nothing else is installed.

import contextlib
import math

import pytest

from arrivals import Arrivals
from chart import installed
from cluster import is_serving
from control import urls
from descent import Descent, follow
from objects import container
from polling import eventually
from services import QUICK, running

pytestmark = pytest.mark.usefixtures("reader")

# A pod carries 4 requests at a time, each of 0.2 s: 20 a second.
PLACES, SECONDS = 4, 0.2
BASE, FACTOR = 12, 10
TARGET = 0.75
# What the offered load comes to, in pods that are as full as they are to be.
ENOUGH = math.ceil(BASE * FACTOR * SECONDS / PLACES / TARGET)
# The HPA does nothing within a tenth of its target, and a request takes a little longer than it sleeps.
TOLERANCE, MOST = 0.1, ENOUGH + 1
# The HPA looks each 5 s here: three of its looks.
LOOKS_SECONDS = 15

VALUES = {
    "upstream": ["k8s://default/backend:http"],
    "discovery": {"enabled": True},
    # All that comes may wait: nobody is turned away while more pods start.
    "settings": {"WEIR_CONCURRENCY": PLACES, "WEIR_QUEUE": 4000, "WEIR_DEADLINE": "60s"},
    "drain": {"delay": 2, "timeout": 60},
    "autoscaling": {"mode": "hpa"},
    "adapter": {"enabled": True},
}
# As the chart's, but sooner down, and to one pod.
SOONER = {
    "min": 1,
    "behavior": {
        "scaleDown": {
            "stabilizationWindowSeconds": 15,
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    },
}


@pytest.fixture
def backend(cluster, kubelet):
    with running(cluster, "backend", 2, [container(cpu="500m", **QUICK)]):
        yield


def available(cluster, name):
    status = cluster.get("APIService", name).get("status", {})
    return any(one["type"] == "Available" and one["status"] == "True" for one in status.get("conditions") or [])


def replicas(cluster):
    return cluster.get("Deployment", "weir")["spec"]["replicas"]


def value(cluster):
    """What the HPA was told last, for each pod; None where it was told nothing."""
    metrics = cluster.get("HorizontalPodAutoscaler", "weir").get("status", {}).get("currentMetrics") or []
    return metrics[0].get("pods", {}).get("current", {}).get("averageValue") if metrics else None


def ready(cluster):
    labels = "app.kubernetes.io/name=weir,app.kubernetes.io/instance=weir"
    pods = cluster.list("Pod", labels=labels)
    return sorted(f"http://{pod['status']['podIP']}:8080" for pod in pods if is_serving(pod))


@contextlib.contextmanager
def scaled_on_load(cluster, gateway, values, least):
    """The chart with these values, and requests at the base rate that it is told of."""
    with installed(cluster, values):
        for version in ("v1beta1", "v1beta2"):
            name = f"{version}.custom.metrics.k8s.io"
            eventually(lambda: available(cluster, name), f"{name} is available", 60)
        eventually(lambda: len(ready(cluster)) == least, "the gateway of the chart is ready", 60)
        # In place of kube-proxy, which leads to the pods of a Service.
        front = gateway(WEIR_UPSTREAM="k8s://default/weir:http", WEIR_DEADLINE="60s", WEIR_CONCURRENCY=10000)
        wait_until_all_are_known(cluster, front)
        with Arrivals(front.address, f"/sleep?ms={round(SECONDS * 1000)}", BASE) as arrivals:
            eventually(lambda: value(cluster) not in (None, "0"), "the HPA is told the load", 60)
            eventually(lambda: replicas(cluster) == least, f"{least} pods carry it", 120)
            yield front, arrivals


def wait_until_all_are_known(cluster, front):
    eventually(lambda: sorted(urls(front, "default")) == ready(cluster), "the front knows the pods that are ready", 30)


def rise(cluster, front, arrivals):
    """Ten times the load, until there are as many pods as it needs."""
    arrivals.rate = BASE * FACTOR
    eventually(lambda: replicas(cluster) >= ENOUGH, f"{ENOUGH} pods are asked for", 60)
    eventually(lambda: len(ready(cluster)) >= ENOUGH, f"{ENOUGH} pods are ready", 60)
    wait_until_all_are_known(cluster, front)


def test_ten_times_the_load_and_back(cluster, backend, gateway):
    values = {**VALUES, "autoscaling": {**VALUES["autoscaling"], **SOONER}}
    with scaled_on_load(cluster, gateway, values, least=1) as (front, arrivals):
        rise(cluster, front, arrivals)
        # What had waited is served; then as many as are needed stay.
        eventually(lambda: is_calm(cluster), f"it stays at {ENOUGH} or {MOST} pods", 120)
        arrivals.rate = BASE
        eventually(lambda: replicas(cluster) == 1, "one pod is left", 120)
        eventually(lambda: len(ready(cluster)) == 1, "the others are gone", 60)
        wait_until_all_are_known(cluster, front)
        outcomes = arrivals.stop()
    assert len(outcomes) > 1000 and not arrivals.failures, arrivals.failures[:5]


def test_down_with_the_behaviour_of_the_chart(cluster, backend, gateway):
    """As it is installed, to the end: the window of five minutes, then at most half of the pods in a minute."""
    with scaled_on_load(cluster, gateway, VALUES, least=2) as (front, arrivals):
        behavior = cluster.get("HorizontalPodAutoscaler", "weir")["spec"]["behavior"]["scaleDown"]
        [policy] = behavior["policies"]
        assert (policy["type"], policy["value"]) == ("Percent", 50)
        descent = Descent(behavior["stabilizationWindowSeconds"], policy["periodSeconds"])
        assert (descent.window, descent.period) == (300, 60)
        rise(cluster, front, arrivals)
        arrivals.rate = BASE
        follow(lambda: replicas(cluster), 2, descent, descent.window + 5 * descent.period)
        eventually(lambda: len(ready(cluster)) == 2, "the others are gone", 60)
        wait_until_all_are_known(cluster, front)
        outcomes = arrivals.stop()
    print(f"\n{descent}; {len(outcomes)} requests, {len(arrivals.failures)} failed")
    assert not list(descent.faults(LOOKS_SECONDS)), descent
    assert len(outcomes) > 1000 and not arrivals.failures, arrivals.failures[:5]


def is_calm(cluster):
    """As many pods as there should be, and what they say of themselves is within the HPA's tolerance."""
    told = value(cluster)
    if told is None:
        return False
    share = float(told.removesuffix("m")) / (1000 if told.endswith("m") else 1) / TARGET
    return ENOUGH <= len(ready(cluster)) == replicas(cluster) <= MOST and 1 - TOLERANCE <= share <= 1 + TOLERANCE
