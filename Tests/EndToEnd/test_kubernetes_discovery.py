# SPDX-License-Identifier: Apache-2.0
# Endpoints from the EndpointSlices of a Kubernetes service, and what becomes of them when the API server forgets, refuses,
# talks nonsense, or is away: what was known last is used, and it is said.

import pytest

from certificates import Authority
from control import page, start, urls, wait_for_urls
from kubernetes_api import KubernetesAPI, endpoint, endpoint_slice
from load import Load
from polling import eventually
from secure_upstream import server_context
from server import run_to_failure
from upstream import Upstream, answer, repeating

SOURCE = "k8s://shop/orders:http"
FAILED = 'weir_discovery_updates_total{upstream="orders",provider="kubernetes",outcome="failed"}'


@pytest.fixture
def api():
    server = KubernetesAPI()
    yield server
    server.close()


@pytest.fixture
def pods():
    """Starts pods on one port, at addresses of their own; each says its number."""
    port, running = 0, {}

    def pod(number):
        nonlocal port
        running[number] = Upstream(repeating(answer(str(number).encode())), address=(f"127.0.0.{number}", port))
        port = running[number].port
        return running[number]

    yield pod
    for one in running.values():
        one.close()


def begin(gateway, tmp_path, api, source=SOURCE, **settings):
    account = tmp_path / "account"
    account.mkdir(exist_ok=True)
    settings = {"WEIR_KUBERNETES_API": api.url, "WEIR_KUBERNETES_ACCOUNT": account, **settings}
    return start(gateway, tmp_path, {"discover": source}, **settings)


def slice_of(port, *numbers, name="orders-a", **conditions):
    return endpoint_slice(name, [endpoint(f"127.0.0.{number}", **conditions) for number in numbers], port)


def places(port, *numbers):
    return [f"http://127.0.0.{number}:{port}" for number in numbers]


def bodies(server, count=20):
    seen = set()
    for _ in range(count):
        with server.connect() as wire:
            reply = wire.get()
            assert reply.status == 200
            seen.add(reply.body.decode())
    return seen


def problem_of(server):
    """Why the source cannot be used; the page knows of it a moment after the start."""
    return page(server).get("source", {}).get("problem")


def recovered(server):
    return problem_of(server) is None


def test_endpoints_follow_the_slices_of_a_service(gateway, tmp_path, api, pods):
    port = pods(1).port
    pods(2)
    pods(3)
    api.set(slice_of(port, 1))
    api.set(endpoint_slice("stock-a", [endpoint("127.0.0.9")], port, service="stock"))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    assert bodies(server) == {"1"}
    api.set(slice_of(port, 2, 3, name="orders-b"))
    wait_for_urls(server, *places(port, 1, 2, 3))
    assert bodies(server, 40) == {"1", "2", "3"}
    api.set(slice_of(port, 3, name="orders-b"))
    wait_for_urls(server, *places(port, 1, 3))
    api.remove("orders-a")
    wait_for_urls(server, *places(port, 3))
    assert bodies(server) == {"3"}
    # One list, one watch, one connection.
    assert len(api.requests) == 2 and len(api.upstream.connections) == 1
    assert page(server)["source"] == {"url": SOURCE, "endpoints": 1, "problem": None}


def test_a_list_of_many_pages(gateway, tmp_path, api, pods):
    port = pods(1).port
    for number in range(1, 8):
        api.set(slice_of(port, number, name=f"orders-{number}"))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, *range(1, 8)))
    assert len(api.asked("continue=")) == 3


def test_pods_that_end_get_nothing_unless_all_do(gateway, tmp_path, api, pods):
    port = pods(1).port
    pods(2)
    ending = {"ready": False, "serving": True, "terminating": True}
    pod = [endpoint("127.0.0.1"), endpoint("127.0.0.2", **ending), endpoint("127.0.0.3", ready=False)]
    api.set(endpoint_slice("orders-a", pod, port))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    api.set(endpoint_slice("orders-a", [endpoint("127.0.0.1", **ending), *pod[1:]], port))
    wait_for_urls(server, *places(port, 1, 2))
    assert bodies(server) == {"1", "2"}


def test_hints_keep_requests_in_their_zone(gateway, tmp_path, api, pods):
    port = pods(1).port
    pods(2)

    def zoned(number, zone):
        return {**endpoint(f"127.0.0.{number}"), "zone": zone, "hints": {"forZones": [{"name": zone}]}}

    api.set(endpoint_slice("orders-a", [zoned(1, "eu-1"), zoned(2, "eu-2")], port))
    server = begin(gateway, tmp_path, api, WEIR_ZONE="eu-2")
    wait_for_urls(server, *places(port, 2))
    api.set(endpoint_slice("orders-a", [zoned(1, "eu-1"), endpoint("127.0.0.2")], port))
    wait_for_urls(server, *places(port, 1, 2))


def test_no_request_fails_while_endpoints_are_replaced(gateway, tmp_path, api, pods):
    """As a rolling update: a pod comes, another is said to end, and ends a moment later."""
    port = pods(1).port
    running = {1: None}
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    load = Load(server, "/", "GET")
    for number in range(2, 10):
        new = pods(number)
        old = number - 1
        ending = endpoint(f"127.0.0.{old}", ready=False, serving=True, terminating=True)
        api.set(endpoint_slice("orders-a", [endpoint(f"127.0.0.{old}"), endpoint(f"127.0.0.{number}")], port))
        wait_for_urls(server, *places(port, old, number))
        api.set(endpoint_slice("orders-a", [ending, endpoint(f"127.0.0.{number}")], port))
        wait_for_urls(server, *places(port, number))
        new.wait_for_requests(50)
        running[number] = new
    seen = load.stop()
    assert set(seen) == {200}, seen


def test_what_was_known_is_used_while_the_server_is_away(gateway, tmp_path, api, pods):
    port = pods(1).port
    pods(2)
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    load = Load(server, "/", "GET")
    api.down()
    server.wait_for_metric(FAILED, 2)
    problem = problem_of(server)
    assert "no connection can be made; 1 are kept" in problem
    assert server.messages.count(problem) == 1
    assert urls(server) == places(port, 1)
    api.set(slice_of(port, 1, 2))
    api.up()
    # It goes on from where it was: nothing is listed anew.
    wait_for_urls(server, *places(port, 1, 2), seconds=40)
    eventually(lambda: recovered(server), "nothing is wrong any more")
    assert len(api.asked("limit=")) == 1
    assert set(load.stop()) == {200}


def test_a_history_that_is_forgotten_is_listed_anew(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    api.wait_for_watch()
    api.forget()
    api.end_watches()
    api.set(slice_of(port, 1, 2))
    wait_for_urls(server, *places(port, 1, 2))
    assert len(api.asked("limit=")) == 2
    # And where the server says so under way.
    api.wait_for_watch()
    api.say('{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}')
    eventually(lambda: len(api.asked("limit=")) == 3, "it is listed again")
    assert server.metric(FAILED) == 0 and recovered(server)


def test_a_bookmark_is_where_it_goes_on(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    api.wait_for_watch()
    api.bookmark()
    api.set(slice_of(port, 1, 2))
    wait_for_urls(server, *places(port, 1, 2))
    version = api.version
    api.end_watches()
    eventually(lambda: api.asked(f"resourceVersion={version}&"), "it goes on behind the last event")


def test_nonsense_takes_nothing_away(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    api.wait_for_watch()
    for line in ["<html>502</html>", '{"type":"MODIFIED","object":{"metadata":{"name":7}}}']:
        failed = server.metric(FAILED)
        api.say(line)
        server.wait_for_metric(FAILED, failed + 1)
        assert urls(server) == places(port, 1) and bodies(server, 2) == {"1"}
        eventually(lambda: recovered(server), "it is listed again", 40)
        api.wait_for_watch()


def test_a_token_that_rotates(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    api.token = "first-token"
    file = tmp_path / "account" / "token"
    file.parent.mkdir()
    file.write_text("first-token")
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    api.wait_for_watch()
    api.token = "second-token"
    api.end_watches()
    server.wait_for_metric(FAILED, 1)
    problem = problem_of(server)
    assert "does not take the service account's token (401); 1 are kept" in problem
    file.with_suffix(".new").write_text("second-token\n")
    file.with_suffix(".new").rename(file)
    api.set(slice_of(port, 1, 2))
    wait_for_urls(server, *places(port, 1, 2))
    said = "".join(server.log) + server.ask_admin("/config")[1] + server.ask_admin("/upstreams")[1]
    assert "first-token" not in said and "second-token" not in said


@pytest.fixture
def secure_api(tmp_path):
    """A server that is asked by https, and the CA that has signed its certificate."""
    authority = Authority(tmp_path, "cluster")
    server = KubernetesAPI(server_context(authority.pair("apiserver", "kubernetes.default.svc")))
    server.authority, server.token = authority, "secret-token"
    yield server
    server.close()


def test_a_pod_asks_whom_the_kubelet_tells_it(gateway, tmp_path, secure_api, pods):
    """Over TLS, by the service account's CA and token; nothing of it is a setting but the folder."""
    port = pods(1).port
    secure_api.set(slice_of(port, 1))
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("secret-token")
    (account / "ca.crt").write_bytes(secure_api.authority.file.read_bytes())
    server = begin(
        gateway,
        tmp_path,
        secure_api,
        WEIR_KUBERNETES_API=None,
        KUBERNETES_SERVICE_HOST="127.0.0.1",
        KUBERNETES_SERVICE_PORT=secure_api.port,
    )
    wait_for_urls(server, *places(port, 1))
    secure_api.set(slice_of(port, 1, 2))
    wait_for_urls(server, *places(port, 1, 2))
    secure_api.wait_for_watch()
    secure_api.down()
    server.wait_for_metric(FAILED, 1)
    secure_api.set(slice_of(port, 1))
    secure_api.up()
    wait_for_urls(server, *places(port, 1), seconds=40)


def test_a_server_that_another_ca_has_signed_hears_no_token(gateway, tmp_path, secure_api, pods):
    port = pods(1).port
    secure_api.set(slice_of(port, 1))
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("secret-token")
    stranger = Authority(tmp_path, "stranger")
    (account / "ca.crt").write_bytes(stranger.file.read_bytes())
    server = begin(gateway, tmp_path, secure_api)
    eventually(lambda: problem_of(server), "it is refused")
    assert "no TLS (" in problem_of(server) and not secure_api.requests
    # A CA that rotates is believed from the next request on.
    (account / "ca.new").write_bytes(secure_api.authority.file.read_bytes())
    (account / "ca.new").rename(account / "ca.crt")
    wait_for_urls(server, *places(port, 1), seconds=20)


def test_a_missing_rule_is_named(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    api.forbidden = True
    server = begin(gateway, tmp_path, api)
    eventually(lambda: problem_of(server), "it is refused")
    assert "verbs [list, watch]" in problem_of(server)
    api.forbidden = False
    wait_for_urls(server, *places(port, 1))


def test_a_server_that_knows_the_older_version_only(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.versions = ("v1beta1",)
    api.set(slice_of(port, 1))
    server = begin(gateway, tmp_path, api)
    wait_for_urls(server, *places(port, 1))
    assert [target.split("/")[3] for target, _ in api.requests][:3] == ["v1", "v1beta1", "v1beta1"]
    assert server.metric(FAILED) == 0


def test_a_source_of_the_environment(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    server = gateway(WEIR_UPSTREAM=SOURCE, WEIR_KUBERNETES_API=api.url, WEIR_KUBERNETES_ACCOUNT=tmp_path)
    eventually(lambda: server.ask_admin("/readyz")[0] == 200, "it is ready")
    assert bodies(server) == {"1"}
    assert page(server, "default")["source"]["url"] == SOURCE


def test_replicas_are_counted(gateway, tmp_path, api, pods):
    port = pods(1).port
    api.set(slice_of(port, 1))
    ending = endpoint("127.0.1.9", ready=False, serving=True, terminating=True)
    weir = [endpoint(f"127.0.1.{number}") for number in range(1, 5)] + [ending]
    api.set(endpoint_slice("weir-a", weir, 8080, service="weir"))
    server = begin(
        gateway,
        tmp_path,
        api,
        WEIR_RATE_LIMIT="80/h;burst=80",
        WEIR_RATE_LIMIT_SCOPE="cluster",
        WEIR_RATE_LIMIT_FIELDS="true",
        WEIR_REPLICAS="k8s://shop/weir",
    )
    wait_for_urls(server, *places(port, 1))

    def share():
        with server.connect() as wire:
            return wire.get().header("ratelimit-policy")

    eventually(lambda: "q=20" in (share() or ""), "the limit is divided by four")


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("WEIR_UPSTREAM", "k8s://orders", "k8s://shop/orders:http"),
        ("WEIR_UPSTREAM", "k8s://shop/orders:HTTP", "k8s://shop/orders:http"),
        ("WEIR_KUBERNETES_API", "127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("WEIR_REPLICAS", "k8s://shop/weir:http", "k8s://shop/weir"),
        ("WEIR_REPLICAS", "0", "k8s://shop/weir"),
        ("WEIR_ZONE", "eu 1", "eu-central-1a"),
    ],
)
def test_settings_that_are_none(name, value, said):
    code, lines = run_to_failure({"WEIR_UPSTREAM": "http://127.0.0.1:1", name: value})
    assert code == 78 and len(lines) == 1 and name in lines[0] and said in lines[0], (code, lines)


def test_outside_of_a_cluster_nothing_is_asked(gateway, tmp_path):
    server = start(gateway, tmp_path, {"discover": SOURCE})
    eventually(lambda: problem_of(server), "it is said")
    assert "KUBERNETES_SERVICE_HOST is not set" in problem_of(server)
