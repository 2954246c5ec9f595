# SPDX-License-Identifier: Apache-2.0
# Two replicas of `weir metrics-adapter` asked for the same while it moves: what docs/adapter.md says of how far apart
# they are. Each asks the pods by itself, at its own moments.

import pytest

from cluster import CUSTOM, pod, service, values, wait_for_pods
from moving_pod import MovingPod
from polling import eventually

REPLICAS = 2
MOVES = 15
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop"
SELECTED = "?labelSelector=app%3Dorders"
METRICS = [
    "weir_utilization_ratio", "weir_offered_load", "weir_requests_queued", "weir_requests_executing",
    "weir_concurrency_limit", "weir_queue_limit", "weir_streams_active", "weir_requests_queued_peak",
    "weir_queue_oldest_seconds", "weir_requests_arrived_per_second", "weir_requests_rejected_per_second",
]  # fmt: skip


@pytest.fixture
def pods(cluster, upstream):
    """Two pods with values that move, behind a service."""
    pods = [MovingPod(REPLICAS) for _ in range(2)]
    for name, moving in zip(("orders-a", "orders-b"), pods, strict=True):
        cluster.pods.set(pod(name, port=upstream(moving).port))
    cluster.services.set(service("orders", {"app": "orders"}))
    return pods


@pytest.fixture
def replicas(adapter, asking, pods):
    started = [adapter(WEIR_ADAPTER_EXTERNAL="true", WEIR_ADAPTER_WINDOW="1s", WEIR_ADAPTER_AGE="15s")
               for _ in range(REPLICAS)]  # fmt: skip
    replicas = [asking(one) for one in started]
    for one in replicas:
        wait_for_pods(one, "orders-a", "orders-b")
    return replicas


def number(quantity):
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def total(replica, metric="weir_offered_load"):
    [item] = replica.items(f"{EXTERNAL}/{metric}{SELECTED}")
    return number(item["value"])


def is_near(replica, metric, right):
    """Not before the replica has a window."""
    code, body = replica.get(f"{EXTERNAL}/{metric}{SELECTED}")
    return code == 200 and abs(number(body["items"][0]["value"]) - right) <= 0.1 * right


def everything(replica):
    """What it says of each metric: of each pod, of the service, of the selector; None where something is missing."""
    found = {}
    for metric in METRICS:
        paths = [f"{CUSTOM}/{of}/{metric}" for of in ("pods/*", "services/orders")]
        for path in [*paths, f"{EXTERNAL}/{metric}{SELECTED}"]:
            code, body = replica.get(path)
            if code != 200:
                return None
            found[path] = [item["value"] for item in body["items"]]
    return found


def test_while_a_value_moves_each_has_that_of_its_last_look(replicas, pods):
    """A sum over pods by `external.metrics.k8s.io`, and each pod by `custom.metrics.k8s.io`."""
    apart = set()
    end = [moving.present + MOVES for moving in pods]

    def moved():
        # Of a look before this line, and of none after the next.
        before = [moving.present for moving in pods]
        sums = [total(one) for one in replicas]
        each = [values(one, "weir_offered_load") for one in replicas]
        after = [moving.present for moving in pods]
        assert all(sum(before) - len(pods) <= found <= sum(after) for found in sums), (before, sums, after)
        for found in each:
            for low, high, name in zip(before, after, ("orders-a", "orders-b"), strict=True):
                assert low - 1 <= number(found[name]) <= high, (before, found, after)
        apart.add(abs(sums[0] - sums[1]))
        # It would show nothing if they had never been asked between the looks of the two.
        return max(apart) > 0 and all(now >= last for now, last in zip(after, end, strict=True))

    eventually(moved, f"each value has moved {MOVES} times, and the two were apart", 60)


def test_what_stands_still_is_the_same_of_both(replicas, pods):
    for moving in pods:
        moving.stay()
    # Means and rates are of each one's own window: what both say is right, to what an answer's way takes.
    for metric, right in [
        ("weir_requests_queued", 2 * MovingPod.QUEUED), ("weir_requests_arrived_per_second", 2 * MovingPod.A_SECOND),
    ]:  # fmt: skip
        eventually(lambda: all(is_near(one, metric, right) for one in replicas), metric, 30)
    for moving in pods:
        moving.stand()
    same = eventually(lambda: agreed(replicas), "both say the same of everything", 30)
    assert same[f"{EXTERNAL}/weir_offered_load{SELECTED}"] == [str(sum(moving.present for moving in pods))]
    for _ in range(20):
        assert agreed(replicas) == same


def agreed(replicas):
    """What all say, once no window of theirs has anything in it that moved; None as long as there is."""
    first, *others = [everything(one) for one in replicas]
    calm = first and first[f"{EXTERNAL}/weir_requests_arrived_per_second{SELECTED}"] == ["0"]
    return first if calm and all(one == first for one in others) else None
