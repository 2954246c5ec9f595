# SPDX-License-Identifier: Apache-2.0
# A pod that is ready and answers garbage. The adapter keeps its last good answer for as long as it was told to, and
# then has it missing, never zero; a gateway keeps the list of endpoints, and sends it no requests. Both say so, and
# both take it back.

import http.client

import pytest

from adapters import ROOT, lines_of, ready_adapters, through_the_api_server
from chart import installed
from control import page, urls
from garbage import GARBAGE, LIMIT, RIGHT
from load import CLIENTS, load
from objects import ADMIN_PORT, PORT, container
from polling import eventually
from services import running

NAME, COUNT = "talker", 3
SOURCE = f"k8s://default/{NAME}:http"
METRIC = f"{ROOT}/namespaces/default/pods/*/weir_concurrency_limit?labelSelector=app%3D{NAME}"
SUM = f"{ROOT}/namespaces/default/services/{NAME}/weir_concurrency_limit"
# How long the adapter keeps an answer.
AGE_SECONDS = 4
# What its log says of each kind of garbage.
REASONS = {
    "bytes": "its answer is no HTTP",
    "nothing": "the connection was lost",
    "a page": "none of a pod with Weir",
    "half": "the connection was lost",
    "numbers": "none of a pod with Weir",
    "other types": "none of a pod with Weir",
    "too much": "its answer is larger than 262144 bytes",
    "a failure": "it answers 500",
}
# How long a first ejection lasts, and what it takes to be noticed.
EJECTED_SECONDS = 30 + 10
FAILURES_IN_A_ROW = 5


@pytest.fixture
def talkers(cluster, kubelet):
    """Pods that answer well until one is told to answer garbage."""
    with running(cluster, NAME, COUNT, [container(NAME, f"{NAME}:1.0.0", cpu="500m")]):
        yield cluster.pods(NAME)


def tell(pod, kind):
    connection = http.client.HTTPConnection(pod["status"]["podIP"], ADMIN_PORT, timeout=5)
    try:
        connection.request("PUT", f"/say/{kind.replace(' ', '-')}")
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def named(answer):
    """The values by the names of their pods; None where there is no answer."""
    return {item["describedObject"]["name"]: int(item["value"]) for item in answer["items"]} if answer else None


def failed_scrapes(address):
    connection = http.client.HTTPConnection(address, ADMIN_PORT, timeout=5)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    [line] = [line for line in lines if line.startswith('weir_adapter_scrapes_total{outcome="failed"}')]
    return float(line.rpartition(" ")[2])


def test_the_adapter_keeps_the_last_answer_and_then_has_none(cluster, kubelet, talkers):
    odd, *others = talkers
    all_names, other_names = ({pod["metadata"]["name"]: LIMIT for pod in pods} for pods in (talkers, others))
    age = [{"name": "WEIR_ADAPTER_AGE", "value": f"{AGE_SECONDS}s"}]
    with installed(cluster, {"adapter": {"enabled": True, "replicas": 1, "env": age}, "replicas": 1}):
        [adapter] = ready_adapters(cluster, 1)
        name, address = adapter["metadata"]["name"], adapter["status"]["podIP"]

        def told():
            return named(through_the_api_server(cluster, METRIC))

        for kind in GARBAGE:
            eventually(lambda: told() == all_names, f"all pods are told of before {kind}", 60)
            before = failed_scrapes(address)
            tell(odd, kind)
            eventually(lambda: failed_scrapes(address) > before, f"{kind} is noticed")
            # Of a second ago: it holds.
            assert told() == all_names, kind
            eventually(lambda: told() == other_names, f"after {kind} it is missing", AGE_SECONDS + 10)
            # It counts as the others do, and not as zero.
            [item] = through_the_api_server(cluster, SUM)["items"]
            assert int(item["value"]) == COUNT * LIMIT, kind
            line = eventually(lambda: complaint(kubelet, name, REASONS[kind]), f"it says why for {kind}")
            assert odd["metadata"]["name"] in line
            tell(odd, RIGHT)
        eventually(lambda: told() == all_names, "all pods are told of again")
        eventually(lambda: said_well(kubelet, name) >= len(GARBAGE), "it says each time that all is well again")


def complaint(kubelet, name, reason):
    lines = [line for line in lines_of(kubelet, name) if "pods do not answer" in line]
    return lines[-1] if lines and reason in lines[-1] else None


def said_well(kubelet, name):
    return sum("all pods that are ready answer again" in line for line in lines_of(kubelet, name))


@pytest.mark.usefixtures("reader")
def test_a_gateway_leaves_it_alone_and_takes_it_back(cluster, talkers, gateway):
    # In turn: by latency a pod that fails is hardly chosen, and five failures in a row take their time.
    server = gateway(WEIR_UPSTREAM=SOURCE, WEIR_UPSTREAM_BALANCE="round-robin")
    endpoints = sorted(f"http://{pod['status']['podIP']}:{PORT}" for pod in talkers)
    eventually(lambda: sorted(urls(server, "default")) == endpoints, "the gateway knows all pods", 30)
    odd = talkers[0]
    labels = f'{{upstream="default",endpoint="http://{odd["status"]["podIP"]}:{PORT}"}}'
    with load(server) as clients:
        clients.wait_for(100)
        tell(odd, "bytes")
        clients.wait_until(
            lambda: server.metric(f"weir_upstream_endpoint_ejected{labels}") == 1, "it is ejected", EJECTED_SECONDS
        )
        failed = sum(outcome != 200 for outcome in clients.seen)
        # What was under way when the fifth came, and a moment until all loops know.
        clients.wait_for(CLIENTS)
        settled = len(clients.seen)
        clients.wait_for(500)
        assert set(clients.seen[settled:]) == {200}
        # Discovery has it listed all the while: the cluster says that it is ready.
        assert sorted(urls(server, "default")) == endpoints and page(server, "default")["source"]["problem"] is None
        tell(odd, RIGHT)
        server.wait_for_line("is ejected")
        clients.wait_until(
            lambda: server.metric(f"weir_upstream_endpoint_ejected{labels}") == 0, "it is back", EJECTED_SECONDS
        )
        asked = server.metric(f"weir_upstream_requests_total{labels}")
        clients.wait_until(
            lambda: server.metric(f"weir_upstream_requests_total{labels}") > asked + 10, "it gets requests again"
        )
        seen = clients.stop()
    told = {(502, "upstream_malformed"), 200}
    assert set(seen) <= told and failed >= FAILURES_IN_A_ROW, seen
    assert any("is back" in message for message in server.messages)
