# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter` between a stand-in of the API server and real services as pods: what the HPA is told, by whom it
# may be asked, and what becomes of it all when pods or the API server do not answer.

import base64
import concurrent.futures
import http.client
import ssl

import pytest

from certificates import Authority
from cluster import APIS, HOST, SECRET, VERSIONS, Aggregator, Cluster, pod, service, wait_until_ready
from polling import eventually
from server import run_gateway
from upstream import answer, repeating

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "front-proxy-ca")


@pytest.fixture
def cluster(authority):
    cluster = Cluster(authority)
    yield cluster
    cluster.close()


@pytest.fixture
def adapter(weir, cluster, tmp_path):
    """Starts adapters of the cluster; they must end well, and before it does."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "namespace").write_text("shop")
    (account / "token").write_text("first")

    def start(*, waits=True, **settings):
        defaults = {
            "WEIR_KUBERNETES_API": cluster.url, "WEIR_KUBERNETES_ACCOUNT": account,
            "WEIR_ADAPTER_INTERVAL": "100ms", "WEIR_ADAPTER_AGE": "1s", "WEIR_ADAPTER_REFRESH": "1s", "WEIR_LOOPS": 1,
        }  # fmt: skip
        server = weir("metrics-adapter", **{**defaults, **settings})
        if waits:
            wait_until_ready(server)
        return server

    start.account = account
    return start


@pytest.fixture
def asking(cluster, authority):
    """Who asks an adapter as the aggregation layer does."""
    pair = authority.pair("front-proxy-client")
    return lambda server: Aggregator(server, cluster, pair)


def values(aggregator, metric="weir_utilization_ratio", query="", of="pods/*"):
    return {
        item["describedObject"]["name"]: item["value"]
        for item in aggregator.items(f"{CUSTOM}/{of}/{metric}{query}")
    }


def wait_for_pods(aggregator, *names):
    """Until these have answered, and no others."""

    def are_there():
        code, body = aggregator.get(f"{CUSTOM}/pods/*/weir_utilization_ratio")
        found = [item["describedObject"]["name"] for item in body["items"]] if code == 200 else []
        return sorted(found) == sorted(names)

    eventually(are_there, f"{names} are answered for")


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
    assert api.get("/openapi/v2")[1]["swagger"] == "2.0"
    assert api.get("/openapi/v3")[0] == 200
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
    busy, idle = serve(WEIR_CONCURRENCY=1, WEIR_LOOPS=1), serve(WEIR_CONCURRENCY=1, WEIR_LOOPS=1)
    cluster.pods.set(pod("orders-a", busy))
    cluster.pods.set(pod("orders-b", idle))
    cluster.services.set(service("orders", {"app": "orders"}))
    api = asking(adapter(WEIR_ADAPTER_WINDOW="1s", WEIR_ADAPTER_EXTERNAL="true"))
    wait_for_pods(api, "orders-a", "orders-b")
    external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/weir_requests_queued?labelSelector=app%3Dorders"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(ask_for_long, busy) for _ in range(4)]
        eventually(lambda: values(api, "weir_requests_queued")["orders-a"] == "3", "three wait at the one")
        assert values(api, "weir_requests_executing") == {"orders-a": "1", "orders-b": "0"}
        assert values(api, "weir_requests_queued", of="services/orders") == {"orders": "3"}
        assert values(api, "weir_concurrency_limit", of="services/orders") == {"orders": "2"}
        [item] = api.items(external)
        assert (item["metricName"], item["value"]) == ("weir_requests_queued", "3")
        # The mean over the window, in whole seconds.
        [item] = api.items(f"{CUSTOM}/pods/orders-a/weir_requests_queued")
        assert item["windowSeconds"] == 1 and item["timestamp"].endswith("Z")
        busy.signal()
        for one in waiting:
            one.cancel()
        eventually(lambda: "orders-a" not in values(api), "the pod is gone")
    assert busy.wait() == 0


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


def test_replicas_agree_on_a_certificate_and_tell_the_aggregation_layer(adapter, asking, cluster):
    replicas = [adapter(waits=False) for _ in range(2)]
    for one in replicas:
        wait_until_ready(one)
    made = [path for method, path in cluster.writes if method == "POST"]
    assert made and set(made) == {"/api/v1/namespaces/shop/secrets"}
    assert cluster.bundle(VERSIONS[0]) == cluster.bundle(VERSIONS[1]) != ""
    # It is not served, so nothing is said of it.
    assert cluster.bundle(VERSIONS[2]) == ""
    shown = []
    for one in replicas:
        eventually(lambda one=one: shows_what_is_believed(asking(one)), "it shows the certificate of both")
        connection = asking(one).connect()
        shown.append(connection.sock.getpeercert(binary_form=True))
        connection.close()
    assert shown[0] == shown[1]


def shows_what_is_believed(aggregator):
    try:
        return aggregator.get("/apis")[0] == 200
    except ssl.SSLError:
        return False


@pytest.mark.parametrize("name, value, reason", [
    ("WEIR_ADAPTER_WINDOWS", "5s", "did you mean WEIR_ADAPTER_WINDOW?"),
    ("WEIR_ADAPTER_INTERVAL", "5", "expected a duration"),
    ("WEIR_ADAPTER_SELECTOR", "a b", "expected a label selector"),
    ("WEIR_ADAPTER_KEY", "/tls.key", "a certificate and its key, or neither"),
    ("WEIR_LISTEN", "unix:/run/weir.sock", "expected an address such as :6443"),
])  # fmt: skip
def test_a_wrong_setting_is_one_line(name, value, reason):
    code, _, lines = run_gateway("metrics-adapter", WEIR_KUBERNETES_API="http://127.0.0.1:1", **{name: value})
    assert code == 78 and len(lines) == 1 and reason in lines[0] and name in lines[0]


def test_an_api_server_that_is_away_changes_nothing_but_the_log(adapter, asking, cluster, serve):
    cluster.pods.set(pod("orders-a", serve()))
    server = adapter()
    api = asking(server)
    wait_for_pods(api, "orders-a")
    cluster.down()
    server.wait_for_metric('weir_adapter_problem{subject="pods"}', 1)
    server.wait_for_metric('weir_adapter_problem{subject="front_proxy"}', 1)
    # Longer than answers hold: the pods are asked on.
    before = server.metric('weir_adapter_scrapes_total{outcome="answered"}')
    server.wait_for_metric('weir_adapter_scrapes_total{outcome="answered"}', before + 15)
    assert list(values(api)) == ["orders-a"]
    assert sum("pods: " in message and "well again" not in message for message in server.messages) == 1
    cluster.pods.set(pod("orders-b", serve()))
    cluster.up()
    wait_for_pods(api, "orders-a", "orders-b")
    server.wait_for_line("pods: all is well again")
    eventually(lambda: server.metric('weir_adapter_problem{subject="front_proxy"}') == 0, "it is asked again")


def test_a_token_that_is_not_taken_is_read_anew(adapter, asking, cluster, serve):
    cluster.pods.set(pod("orders-a", serve()))
    cluster.token = "first"
    server = adapter()
    api = asking(server)
    wait_for_pods(api, "orders-a")
    cluster.token = "second"
    cluster.pods.end_watches()
    server.wait_for_line("does not take the service account's token (401)")
    cluster.pods.set(pod("orders-b", serve()))
    assert list(values(api)) == ["orders-a"]
    (adapter.account / "token").write_text("second")
    wait_for_pods(api, "orders-a", "orders-b")


def test_a_cluster_that_forgets_and_talks_nonsense_is_listed_anew(adapter, asking, cluster, serve):
    pods = {name: serve() for name in ("orders-a", "orders-b")}
    cluster.pods.set(pod("orders-a", pods["orders-a"]))
    server = adapter()
    api = asking(server)
    wait_for_pods(api, "orders-a")
    cluster.pods.wait_for_watch()
    cluster.pods.forget()
    cluster.pods.end_watches()
    cluster.pods.set(pod("orders-b", pods["orders-b"]))
    wait_for_pods(api, "orders-a", "orders-b")
    cluster.pods.wait_for_watch()
    cluster.pods.say('{"type": "MODIFIED", "object": 7}')
    server.wait_for_line("answered with what are no pods")
    cluster.pods.remove("shop/orders-a")
    wait_for_pods(api, "orders-b")


def test_a_rule_that_is_missing_is_named(adapter, cluster):
    cluster.refused = {"/api/v1/pods", "/secrets", "extension-apiserver"}
    server = adapter(waits=False)
    line = server.wait_for_line("may not list pods")
    assert "resources [pods], verbs [list, watch]" in line
    assert "answered 403" in server.wait_for_line("who may ask:")
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
    for path, code in [("/readyz", 503), ("/healthz", 200), ("/livez", 200), ("/apis", 401)]:
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, b"not ready" in response.read()) == (code, path == "/readyz")
    connection.close()
    cluster.refused = set()
    wait_until_ready(server)


def test_more_pods_than_may_be_are_said(adapter, asking, cluster, serve):
    cluster.pods.set(pod("orders-a", serve()))
    server = adapter(WEIR_ADAPTER_PODS=1)
    api = asking(server)
    wait_for_pods(api, "orders-a")
    cluster.pods.set(pod("orders-b", serve()))
    server.wait_for_line("there are more than 1 pods")
    assert list(values(api)) == ["orders-a"]
    cluster.pods.remove("shop/orders-b")
    server.wait_for_line("pods: all is well again")


def test_a_certificate_that_ends_soon_is_replaced_under_both_cas(adapter, asking, cluster, tmp_path):
    """What is in the Secret has 20 days left; whoever believes the former CA is served until the new one is shown."""
    old = Authority(tmp_path, "old-ca")
    certificate, key = old.pair("old", HOST, days=20)
    texts = {"ca.crt": old.file, "tls.crt": certificate, "tls.key": key}
    data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in texts.items()}
    cluster.put(SECRET, {"metadata": {"name": "weir-metrics-adapter-tls"}, "data": data})
    server = adapter()
    assert [write for write in cluster.writes if write[1] == SECRET] == [("PATCH", SECRET)]
    assert cluster.bundle().count("BEGIN CERTIFICATE") == 2 and old.file.read_text().strip() in cluster.bundle()
    connection = asking(server).connect()
    assert connection.sock.getpeercert()["issuer"] == ((("commonName", "weir metrics-adapter"),),)
    connection.close()
    # Whoever comes second takes what is there.
    other = adapter()
    assert asking(other).get("/apis")[0] == 200
    assert len([write for write in cluster.writes if write[1] == SECRET]) == 1
    # Somebody deletes it: all replicas agree on another, whoever makes it.
    before = cluster.bundle()
    with cluster.changed:
        del cluster.objects[SECRET]
    eventually(lambda: cluster.bundle() != before, "another CA is told")
    for one in (server, other):
        eventually(lambda one=one: shows_what_is_believed(asking(one)), "it shows the new certificate")


def test_files_of_cert_manager_are_shown_and_followed(adapter, cluster, authority, tmp_path):
    issuer = Authority(tmp_path, "issuer")
    certificate, key = issuer.pair("serving", HOST)
    server = adapter(WEIR_ADAPTER_CERTIFICATE=certificate, WEIR_ADAPTER_KEY=key)
    assert not cluster.writes
    pair = authority.pair("front-proxy-client")

    def shown():
        context = ssl.create_default_context(cafile=issuer.file)
        context.load_cert_chain(*pair)
        aggregator = Aggregator(server, cluster, pair)
        aggregator.context = lambda: context
        connection = aggregator.connect()
        assert aggregator.get("/apis", connection=connection)[0] == 200
        found = connection.sock.getpeercert(binary_form=True)
        connection.close()
        return found

    before = shown()
    issuer.pair("serving", HOST)
    eventually(lambda: shown() != before, "the new file is shown")


def test_an_apiservice_of_somebody_else_is_left_alone(adapter, cluster):
    other = {"namespace": "monitoring", "name": "prometheus-adapter"}
    cluster.put(APIS + VERSIONS[1], {"metadata": {"name": VERSIONS[1]}, "spec": {"service": other}})
    server = adapter()
    line = server.wait_for_line("prometheus-adapter")
    assert VERSIONS[1] in line and "not to shop/weir-metrics-adapter" in line
    assert cluster.bundle(VERSIONS[0]) and not cluster.bundle(VERSIONS[1])
    assert server.metric('weir_adapter_problem{subject="ca_bundle"}') == 1
