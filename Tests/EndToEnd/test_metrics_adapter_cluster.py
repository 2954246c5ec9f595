# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter` and the cluster around it: its certificate, which replicas share and the aggregation layer is told,
# and an API server that is away, forgets, refuses, or is not whom it should be.

import base64
import http.client
import re
import ssl

import pytest

from certificates import Authority
from cgroups import group  # noqa: F401: a fixture
from cluster import APIS, FRONT_PROXY, HOST, SECRET, VERSIONS, Aggregator, pod, values, wait_for_pods, wait_until_ready
from polling import eventually
from secure_upstream import server_context
from server import GATEWAY, Server, run_to_failure


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


def test_a_token_that_comes_while_one_is_refused_is_shown_at_once(adapter, cluster):
    """After six refusals the pause is of eight seconds at least."""
    cluster.token = "second"
    server = adapter(waits=False, WEIR_ADAPTER_REFRESH="1h")
    eventually(lambda: cluster.denied.count(FRONT_PROXY) >= 6, "it is refused again and again", 30)
    (adapter.account / "token").write_text("second")
    eventually(lambda: server.metric('weir_adapter_problem{subject="front_proxy"}') == 0, "who may ask is known", 5)
    wait_until_ready(server)


def test_threads_that_do_not_fit_are_said_with_the_adapters_own(adapter, cluster, group):
    """As for every start: one line, what would be right, and that is right."""
    pids = group("pids")
    pids.write("pids.max", 5)
    settings = {"WEIR_KUBERNETES_API": cluster.url, "WEIR_KUBERNETES_ACCOUNT": adapter.account, "WEIR_LOOPS": 1}
    options = {"binary": GATEWAY, "arguments": ("metrics-adapter",), "group": pids}
    code, lines = run_to_failure(settings, **options)
    assert (code, len(lines)) == (69, 1), lines
    most = re.search(r"let it be at least (\d+)$", lines[0])[1]
    pids.write("pids.max", most)
    server = Server(settings, **options)
    try:
        wait_until_ready(server)
    finally:
        server.stop()


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
    assert connection.sock.getpeercert()["issuer"] == ((("commonName", "weir metrics-adapter CA"),),)
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


@pytest.mark.parametrize("ca, days, reason", [("cluster-ca", 0, "expired"), ("other-ca", 30, "unknown_issuer")])
def test_an_api_server_is_believed_by_its_certificate(adapter, cluster, asking, serve, tmp_path, ca, days, reason):
    authorities = {name: Authority(tmp_path, name) for name in ("cluster-ca", "other-ca")}
    issuer = authorities["cluster-ca"]
    cluster.down()
    cluster.context = server_context(issuer.pair("kubernetes"))
    cluster.up()
    cluster.pods.set(pod("orders-a", serve()))
    (adapter.account / "ca.crt").write_text(issuer.file.read_text())
    server = adapter(WEIR_KUBERNETES_API=f"https://127.0.0.1:{cluster.port}")
    api = asking(server)
    wait_for_pods(api, "orders-a")
    cluster.down()
    cluster.context = server_context(authorities[ca].pair("wrong", days=days))
    cluster.up()
    server.wait_for_line(f"no TLS ({reason})")
    cluster.pods.set(pod("orders-b", serve()))
    assert list(values(api)) == ["orders-a"]
    cluster.down()
    cluster.context = server_context(issuer.pair("kubernetes-renewed"))
    cluster.up()
    wait_for_pods(api, "orders-a", "orders-b")
