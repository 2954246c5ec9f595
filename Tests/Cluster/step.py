# SPDX-License-Identifier: Apache-2.0
# Ten times the load from one moment to the next, and what an HPA makes of it: how many pods are asked for and ready at
# each moment, and what becomes of the requests meanwhile.

import collections
import dataclasses
import json
import math
import time
import urllib.request

from arrivals import Arrivals
from limits import quantity
from metrics_server import RESOLUTION_SECONDS
from objects import ADMIN_PORT, autoscaler, container
from polling import eventually
from services import QUICK, running

NAME = "orders"
# Each pod has four places of 0.2 s, and so carries 20 requests a second at the most.
PLACES, CAPACITY = 4, 20
BASE, FACTOR = 12, 10
TARGET = 0.75
# Pods that are needed at the least for each to be at the target: more where a request takes longer than it waits.
ENOUGH = math.ceil(BASE * FACTOR / CAPACITY / TARGET)
MOST = 20
SAMPLE_SECONDS = 0.5


@dataclasses.dataclass
class Step:
    """What was seen; all times in seconds from the step on."""

    signal: str
    watched: float
    # What the HPA was told for each pod before it, and what it is to be.
    before: float
    target: float
    asked: list = dataclasses.field(default_factory=list)
    ready: list = dataclasses.field(default_factory=list)
    utilization: list = dataclasses.field(default_factory=list)
    sent: int = 0
    refused: int = 0
    refused_until: float = 0.0
    median_milliseconds: float = 0.0
    p99_milliseconds: float = 0.0

    def until(self, count):
        """When so many were ready for the first time; None if they never were."""
        return next((at for at, ready in self.ready if ready >= count), None)


def containers():
    """The service, and Weir in front of it in the same pod; the service's hook drains Weir before it ends itself."""
    settings = {"WEIR_UPSTREAM": "http://127.0.0.1:3000", "WEIR_CONCURRENCY": PLACES, **QUICK}
    weir = container("weir", "weir:0.1.0", "500m", **settings)
    hook = {"preStop": {"exec": {"command": ["curl", "-s", "http://127.0.0.1:9901/drain"]}}}
    service = {"name": "orders", "image": "orders:1.0.0", "resources": {"limits": {"cpu": "500m"}}, "lifecycle": hook}
    return [weir, service]


def use_of_a_full_pod(cluster, kubelet, arrivals, seconds=20):
    """The cores that the one pod uses while all its places are taken."""
    [pod] = cluster.pods(NAME)
    name = pod["metadata"]["name"]
    arrivals.rate = CAPACITY * 1.2
    until(time.monotonic() + 5)
    begin, used = time.monotonic(), kubelet.used_seconds()[name]
    until(begin + seconds)
    use = (kubelet.used_seconds()[name] - used) / (time.monotonic() - begin)
    arrivals.rate = BASE
    print(f"a full pod uses {use:.3f} cores")
    return use


def until(instant):
    """For what is measured over a time."""
    while (left := instant - time.monotonic()) > 0:
        time.sleep(left)


def take(cluster, kubelet, gateway, signal, metric, seconds):
    """Runs the step for so long; `metric` gives the HPA's, from a function that measures what a full pod uses.

    Until the step the HPA may have one pod: where the machine stands still for a moment, one request takes as long as
    two, and a second pod would be right, would stay for five minutes, and would make it another step.
    """
    server = gateway(WEIR_UPSTREAM=f"k8s://default/{NAME}:http")
    with running(cluster, NAME, 1, containers()), Arrivals(server.address, "/", BASE) as arrivals:
        wanted = metric(lambda: use_of_a_full_pod(cluster, kubelet, arrivals))
        # What has happened before is in nobody's window any more.
        until(time.monotonic() + 2 * RESOLUTION_SECONDS)
        cluster.create("HorizontalPodAutoscaler", autoscaler(NAME, wanted, most=1))
        try:
            before = eventually(lambda: told(cluster), "the HPA knows a value", 60)
            return watch(cluster, arrivals, Step(signal, seconds, before, target_of(wanted)))
        finally:
            cluster.delete("HorizontalPodAutoscaler", NAME)


def told(cluster):
    """What the HPA was told last for each pod; None where it was told nothing, or that nothing is done."""
    [metric, *_] = cluster.get("HorizontalPodAutoscaler", NAME).get("status", {}).get("currentMetrics") or [{}]
    of_type = metric.get((metric.get("type") or "").lower()) or {}
    value = of_type.get("current", {}).get("averageValue")
    return quantity(value) if value else None


def target_of(metric):
    return quantity(metric[metric["type"].lower()]["target"]["averageValue"])


def utilization_of(pod):
    """What a pod says of itself; 0 where it does not answer, as one that is just ending."""
    try:
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{ADMIN_PORT}/queue", timeout=2) as answer:
            return json.load(answer)["utilization"]
    except OSError:
        return 0


def note(series, at, value):
    """A step function has a point where it changes."""
    if not series or series[-1][1] != value:
        series.append((round(at, 1), value))


def watch(cluster, arrivals, step):
    begin = time.monotonic()
    cluster.patch("HorizontalPodAutoscaler", NAME, {"spec": {"maxReplicas": MOST}})
    arrivals.rate = BASE * FACTOR
    while (at := time.monotonic() - begin) < step.watched:
        note(step.asked, at, cluster.get("Deployment", NAME)["spec"]["replicas"])
        pods = cluster.ready_pods(NAME)
        note(step.ready, at, len(pods))
        step.utilization.append((round(at, 1), round(sum(utilization_of(pod) for pod in pods), 2)))
        time.sleep(SAMPLE_SECONDS)
    arrivals.rate = BASE
    seen = [outcome for outcome in arrivals.stop() if outcome.at >= begin]
    step.sent = len(seen)
    refused = [outcome for outcome in seen if outcome.status != 200]
    # Told at once, and told the truth; nothing breaks off.
    statuses = collections.Counter(outcome.status for outcome in refused)
    assert set(statuses) <= {503, 504}, statuses
    step.refused = len(refused)
    step.refused_until = round(max((outcome.at - begin for outcome in refused), default=0), 1)
    served = sorted(outcome.seconds for outcome in seen if outcome.status == 200)
    step.median_milliseconds = round(1000 * served[len(served) // 2])
    step.p99_milliseconds = round(1000 * served[len(served) * 99 // 100])
    return step
