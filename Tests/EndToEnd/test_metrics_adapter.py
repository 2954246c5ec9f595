# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter` between a stand-in of the API server and real services as pods: what the HPA is told, by whom it
# may be asked, and what becomes of it when pods do not answer.

import concurrent.futures
import ssl

import pytest

from certificates import Authority
from cluster import CUSTOM, Aggregator, pod, service, values, wait_for_pods
from polling import eventually
from server import run_gateway
from upstream import answer, repeating


def test_discovery_is_as_clients_expect(adapter, asking):
    api = asking(adapter(WEIR_ADAPTER_EXTERNAL="true"))
    code, groups = api.get("/apis")
    assert code == 200 and groups["kind"] == "APIGroupList"
    assert [group["name"] for group in groups["groups"]] == ["custom.metrics.k8s.io", "external.metrics.k8s.io"]
    assert groups["groups"][0]["preferredVersion"]["version"] == "v1beta2"
    for version in ("custom.metrics.k8s.io/v1beta2", "custom.metrics.k8s.io/v1beta1", "external.metrics.k8s.io/v1beta1"):
        code, resources = api.get(f"/apis/{version}")
        assert code == 200 and resources["kind"] == "APIResourceList" and resources["groupVersion"] == version
        names = {resource["name"] for resource in resources["resources"]}
        prefix = "" if version.startswith("external") else "pods/"
        assert {f"{prefix}weir_utilization_ratio", f"{prefix}weir_requests_queued"} <= names
        assert all(one["namespaced"] and one["verbs"] == ["get"] for one in resources["resources"])
    code, older = api.get("/openapi/v2")
    assert code == 200 and older["swagger"] == "2.0"
    code, index = api.get("/openapi/v3")
    assert code == 200 and len(index["paths"]) == 3
    for group, place in index["paths"].items():
        code, newer = api.get(place["serverRelativeURL"])
        assert code == 200 and newer["openapi"] == "3.0.0"
        assert newer["paths"] and set(newer["paths"]) == {one for one in older["paths"] if one.startswith(f"/{group}/")}
    code, refusal = api.get("/apis/metrics.k8s.io")
    assert code == 404 and refusal["kind"] == "Status" and refusal["reason"] == "NotFound"


def test_pods_are_answered_for_by_name_and_by_selector(adapter, asking, cluster, serve):
    cluster.pods.set(pod("orders-a", serve()))
    cluster.pods.set(pod("orders-b", serve(WEIR_CONCURRENCY=7), labels={"app": "web", "tier": "front"}))
    cluster.pods.set(pod("other", serve(), labels={"weir.dev/metrics": "false"}))
    api = asking(adapter())
    wait_for_pods(api, "orders-a", "orders-b")
    assert list(values(api, query="?labelSelector=app%3Dorders")) == ["orders-a"]
    assert list(values(api, query="?labelSelector=app%20in%20(web),tier")) == ["orders-b"]
    assert values(api, "weir_concurrency_limit", of="pods/orders-b") == {"orders-b": "7"}
    [item] = api.items(f"{CUSTOM}/pods/orders-b/weir_requests_queued")
    assert item["describedObject"] == {"apiVersion": "v1", "kind": "Pod", "name": "orders-b", "namespace": "shop"}
    assert item["metric"] == {"name": "weir_requests_queued"} and item["value"] == "0"
    [older] = api.items(f"{CUSTOM.replace('v1beta2', 'v1beta1')}/pods/orders-b/weir_requests_queued")
    assert older["metricName"] == "weir_requests_queued" and "metric" not in older
    cluster.pods.remove("shop/orders-a")
    wait_for_pods(api, "orders-b")


@pytest.mark.parametrize(
    "path, code",
    [
        ("pods/*/weir_nothing", 404), ("pods/unknown/weir_requests_queued", 404), ("nodes/a/weir_requests_queued", 404),
        ("pods/*/weir_requests_queued?labelSelector=a%20b", 400), ("pods/*/weir_requests_queued?labelSelector=app%3Dno", 404),
        ("services/*/weir_requests_queued", 400), ("services/no/weir_requests_queued", 404),
        ("pods/*/weir_requests_queued?metricLabelSelector=pool%3Da", 404), ("pods/*", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_as_kubernetes_does(adapter, asking, cluster, serve, path, code):
    cluster.pods.set(pod("orders-a", serve()))
    api = asking(adapter())
    wait_for_pods(api, "orders-a")
    status, body = api.get(f"{CUSTOM}/{path}")
    assert (status, body["kind"], body["status"], body["code"]) == (code, "Status", "Failure", code)
    assert body["message"]


def test_the_queue_is_told_per_pod_per_service_and_summed(adapter, asking, cluster, serve):
    busy, idle = (serve(WEIR_CONCURRENCY=1, WEIR_LOOPS=1, WEIR_DRAIN_TIMEOUT="100ms") for _ in range(2))
    cluster.pods.set(pod("orders-a", busy))
    cluster.pods.set(pod("orders-b", idle))
    cluster.services.set(service("orders", {"app": "orders"}))
    api = asking(adapter(WEIR_ADAPTER_WINDOW="1s", WEIR_ADAPTER_EXTERNAL="true"))
    wait_for_pods(api, "orders-a", "orders-b")
    external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/weir_requests_queued?labelSelector=app%3Dorders"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(ask_for_long, busy) for _ in range(4)]
        eventually(lambda: values(api, "weir_requests_queued")["orders-a"] == Nearly(3), "three wait at the one")
        assert values(api, "weir_requests_executing") == {"orders-a": Nearly(1), "orders-b": "0"}
        assert values(api, "weir_requests_queued", of="services/orders") == {"orders": Nearly(3)}
        assert values(api, "weir_concurrency_limit", of="services/orders") == {"orders": "2"}
        [item] = api.items(external)
        assert (item["metricName"], item["value"]) == ("weir_requests_queued", Nearly(3))
        # The mean over the window, in whole seconds.
        [item] = api.items(f"{CUSTOM}/pods/orders-a/weir_requests_queued")
        assert item["windowSeconds"] == 1 and item["timestamp"].endswith("Z")
        busy.signal()
        for one in waiting:
            one.cancel()
        eventually(lambda: "orders-a" not in values(api), "the pod is gone")
    assert busy.wait() == 0


class Nearly:
    """A quantity within a tenth: an answer may be on its way for some of a window of a second."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, text):
        found = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
        return abs(found - self.number) <= 0.1 * self.number


def ask_for_long(server):
    connection = server.connect()
    try:
        connection.send(b"GET /sleep?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.socket.recv(1)
    finally:
        connection.close()


def test_pods_that_do_not_answer_are_missing_and_never_zero(adapter, asking, cluster, serve, upstream):
    lasting, leaving = serve(), serve()
    nonsense = upstream(repeating(answer(b'{"utilization": "full"}')))
    cluster.pods.set(pod("lasting", lasting))
    cluster.pods.set(pod("leaving", leaving))
    cluster.pods.set(pod("nonsense", port=nonsense.port))
    cluster.services.set(service("orders", {"app": "orders"}))
    server = adapter()
    api = asking(server)
    wait_for_pods(api, "lasting", "leaving")
    limit = int(values(api, "weir_concurrency_limit", of="pods/lasting")["lasting"])
    leaving.stop()
    wait_for_pods(api, "lasting")
    server.wait_for_metric('weir_adapter_pods{state="missing"}', 2)
    assert server.metric('weir_adapter_pods{state="answering"}') == 1
    line = server.wait_for_line("shop/leaving")
    assert "do not answer" in line and "shop/nonsense" in line and "none of a pod with Weir" in line
    # A sum counts each that is missing as one of the others.
    assert values(api, "weir_concurrency_limit", of="services/orders") == {"orders": str(3 * limit)}
    lasting.stop()
    eventually(lambda: api.get(f"{CUSTOM}/pods/*/weir_utilization_ratio")[0] == 503, "nothing is known")
    code, body = api.get(f"{CUSTOM}/services/orders/weir_utilization_ratio")
    assert code == 503 and "none of the 3" in body["message"]
    assert sum("do not answer" in message for message in server.messages) <= 4


def test_pods_that_hang_take_nobody_elses_turn(adapter, asking, cluster, serve, upstream):
    hanging = upstream(lambda peer: (peer.request(), peer.take(1)))
    cluster.pods.set(pod("lasting", serve()))
    for number in range(20):
        cluster.pods.set(pod(f"hanging-{number}", port=hanging.port))
    # Each of twenty in two places for half a second: five seconds, if they had both.
    server = adapter(WEIR_ADAPTER_CONCURRENCY=2, WEIR_ADAPTER_TIMEOUT="500ms")
    api = asking(server)
    server.wait_for_metric('weir_adapter_pods{state="missing"}', 20)
    before = server.metric('weir_adapter_scrapes_total{outcome="answered"}')
    server.wait_for_metric('weir_adapter_scrapes_total{outcome="answered"}', before + 20)
    assert list(values(api)) == ["lasting"]


@pytest.fixture
def secure(serve, tmp_path):
    """A pod whose admin port speaks TLS, and the CA that has signed its certificate, for `pods.test`."""
    authority = Authority(tmp_path, "pods-ca")
    certificate, key = authority.pair("pods", "pods.test")
    server = serve(WEIR_ADMIN_LISTEN=f"tls://127.0.0.1:0;cert={certificate};key={key}")
    annotations = {"weir.dev/admin-port": str(server.admin_port), "weir.dev/admin-scheme": "https"}
    return pod("secure", server, annotations=annotations), authority


def test_an_admin_port_that_speaks_tls_is_asked_by_it(adapter, asking, cluster, serve, secure):
    secure, authority = secure
    cluster.pods.set(secure)
    cluster.pods.set(pod("plain", serve()))
    by_name = adapter(WEIR_ADAPTER_ADMIN_CA=authority.file, WEIR_ADAPTER_ADMIN_SERVER_NAME="pods.test")
    wait_for_pods(asking(by_name), "plain", "secure")
    by_address = adapter(WEIR_ADAPTER_ADMIN_CA=authority.file)
    wait_for_pods(asking(by_address), "plain", "secure")
    # It is asked again over the connection that there is, and the log has nothing to say.
    answered = by_name.metric('weir_adapter_scrapes_total{outcome="answered"}')
    by_name.wait_for_metric('weir_adapter_scrapes_total{outcome="answered"}', answered + 10)
    assert by_name.metric('weir_adapter_scrapes_total{outcome="failed"}') == 0


def test_an_admin_port_whose_certificate_does_not_pass_is_missing(adapter, asking, cluster, serve, secure, tmp_path):
    secure, authority = secure
    cluster.pods.set(secure)
    cluster.pods.set(pod("plain", serve()))
    file = tmp_path / "believed.crt"
    file.write_bytes(Authority(tmp_path, "other-ca").file.read_bytes())
    server = adapter(WEIR_ADAPTER_ADMIN_CA=file)
    wait_for_pods(asking(server), "plain")
    assert "no TLS (unknown_issuer)" in server.wait_for_line("shop/secure")
    other = adapter(WEIR_ADAPTER_ADMIN_CA=authority.file, WEIR_ADAPTER_ADMIN_SERVER_NAME="others.test")
    wait_for_pods(asking(other), "plain")
    assert "no TLS (wrong_name)" in other.wait_for_line("shop/secure")
    # What is no CA changes nothing; the right one is believed from the next connection on.
    file.write_text("nothing\n")
    file.write_bytes(authority.file.read_bytes())
    wait_for_pods(asking(server), "plain", "secure")


def test_only_the_aggregation_layer_may_ask(adapter, asking, cluster, authority, tmp_path):
    server = adapter()
    path = "/apis/custom.metrics.k8s.io/v1beta2"
    assert asking(server).get(path)[0] == 200
    assert asking(server).get(path, user=None)[0] == 401
    code, body = Aggregator(server, cluster).get(path)
    assert code == 401 and body["reason"] == "Unauthorized" and body["kind"] == "Status"
    stranger = authority.pair("somebody-else")
    assert Aggregator(server, cluster, stranger).get(path)[0] == 401
    forged = Authority(tmp_path, "forged-ca").pair("front-proxy-client-forged")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Aggregator(server, cluster, forged).get(path)
    assert server.metric("weir_adapter_unauthorized_total") == 3
    # Any name, and another.
    cluster.trust(authority, names=())
    eventually(lambda: Aggregator(server, cluster, stranger).get(path)[0] == 200, "any name may ask")
    cluster.trust(authority, names=("somebody-else",))
    eventually(lambda: asking(server).get(path)[0] == 401, "the old name may not")
    assert Aggregator(server, cluster, stranger).get(path)[0] == 200


def test_a_front_proxy_with_another_ca_is_admitted_by_its_next_connection(adapter, cluster, authority, tmp_path):
    server = adapter()
    other = Authority(tmp_path, "next-ca")
    pair = other.pair("front-proxy-client")
    # Whoever is refused for want of a certificate has to connect again, and does so with one.
    kept = Aggregator(server, cluster).connect()
    kept.request("GET", "/apis")
    response = kept.getresponse()
    response.read()
    assert response.status == 401 and response.getheader("connection") == "close"
    kept.close()
    cluster.trust(other)

    def is_admitted():
        try:
            return Aggregator(server, cluster, pair).get("/apis")[0] == 200
        except (ssl.SSLError, ConnectionError):
            return False

    eventually(is_admitted, "the new CA is believed")


@pytest.mark.parametrize("name, value, reason", [
    ("WEIR_ADAPTER_WINDOWS", "5s", "did you mean WEIR_ADAPTER_WINDOW?"),
    ("WEIR_ADAPTER_INTERVAL", "5", "expected a duration"),
    ("WEIR_ADAPTER_SELECTOR", "a b", "expected a label selector"),
    ("WEIR_ADAPTER_KEY", "/tls.key", "a certificate and its key, or neither"),
    ("WEIR_LISTEN", "unix:/run/weir.sock", "expected an address such as :6443"),
    ("WEIR_ADAPTER_ADMIN_CA", "/no/such.crt", "No such file"),
])  # fmt: skip
def test_a_wrong_setting_is_one_line(name, value, reason):
    code, _, lines = run_gateway("metrics-adapter", WEIR_KUBERNETES_API="http://127.0.0.1:1", **{name: value})
    assert code == 78 and len(lines) == 1 and reason in lines[0] and name in lines[0]
