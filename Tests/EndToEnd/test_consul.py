# SPDX-License-Identifier: Apache-2.0
# Consul's API on the admin port, asked by a client of Consul that nobody here wrote (py-consul).

import collections
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import consul
import httpx
import pytest

from dns_server import DNSServer
from polling import PATIENCE_SECONDS, eventually

TOKEN = "a-token-that-nobody-may-read"


@pytest.fixture
def agent(serve):
    """A service without routes of interest, and a client of its admin port."""
    server = serve()
    client = consul.Consul(host="127.0.0.1", port=server.admin_port)
    client.server = server
    return client


class Asked(threading.Thread):
    """Waits for the answer of a blocking query."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.answer = ask, None
        self.start()

    def result(self):
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the query is not answered"
        return self.answer

    def run(self):
        self.answer = self.ask()


class Checked:
    """A server whose health is what the test says."""

    def __init__(self):
        self.status, self.requests, self.answers = 200, collections.Counter(), collections.Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status = outer.status
                outer.requests[self.path, self.headers["X-Probe"]] += 1
                outer.answers[status] += 1
                self.send_response(status)
                body = f"status {status}".encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def checked():
    server = Checked()
    yield server
    server.close()


def status_of(agent, check_id):
    return agent.agent.checks()[check_id]["Status"]


def await_status(agent, check_id, status):
    eventually(lambda: status_of(agent, check_id) == status, f"{check_id} is {status}")


# The agent


def test_the_agent_says_who_it_is(agent):
    myself = agent.agent.self()
    name = myself["Config"]["NodeName"]
    assert name == socket.gethostname()
    assert myself["Config"]["Datacenter"] == "dc1"
    assert myself["Member"]["Name"] == name
    assert [member["Name"] for member in agent.agent.members()] == [name]
    assert agent.status.leader() in agent.status.peers()
    assert agent.catalog.datacenters() == ["dc1"]
    (node,) = agent.catalog.nodes()[1]
    assert (node["Node"], node["Datacenter"]) == (name, "dc1")
    assert agent.agent.services() == {} and agent.agent.checks() == {}


def test_a_service_comes_and_goes(agent):
    assert agent.agent.service.register(
        "web", service_id="web-1", address="10.1.1.1", port=8080, tags=["blue", "v1"], meta={"version": "1"},
        weights={"Passing": 10, "Warning": 2}, enable_tag_override=True,
    )
    expected = {
        "ID": "web-1", "Service": "web", "Tags": ["blue", "v1"], "Meta": {"version": "1"}, "Port": 8080,
        "Address": "10.1.1.1", "Weights": {"Passing": 10, "Warning": 2}, "EnableTagOverride": True,
        "Datacenter": "dc1",
        "TaggedAddresses": {name: {"Address": "10.1.1.1", "Port": 8080} for name in ("lan_ipv4", "wan_ipv4")},
    }
    assert agent.agent.services() == {"web-1": expected}
    assert agent.agent.service_definition("web-1") == expected
    assert agent.agent.service_definition("web") is None
    assert agent.catalog.services()[1] == {"web": ["blue", "v1"]}
    (entry,) = agent.catalog.service("web")[1]
    assert (entry["ServiceID"], entry["ServicePort"], entry["ServiceAddress"]) == ("web-1", 8080, "10.1.1.1")
    assert entry["ServiceWeights"] == {"Passing": 10, "Warning": 2}
    (health,) = agent.health.service("web")[1]
    assert health["Service"]["Meta"] == {"version": "1"}
    assert health["Node"]["Node"] == entry["Node"]
    assert set(agent.catalog.node(entry["Node"])[1]["Services"]) == {"web-1"}
    assert agent.agent.service.deregister("web-1")
    assert agent.agent.services() == {}
    assert agent.health.service("web")[1] == []
    assert agent.catalog.services()[1] == {}


def test_queries_choose_by_tag_and_by_health(agent):
    for number, status in enumerate(["passing", "warning", "critical"]):
        agent.agent.service.register("web", service_id=f"web-{number}", tags=["all", f"t{number}"])
        agent.agent.check.register(
            "c", {**consul.Check.ttl("1m"), "Status": status}, check_id=f"c{number}", service_id=f"web-{number}"
        )

    def ids(**wanted):
        return [entry["Service"]["ID"] for entry in agent.health.service("web", **wanted)[1]]

    assert ids() == ["web-0", "web-1", "web-2"]
    assert ids(passing=True) == ["web-0"]
    assert ids(tag="T1") == ["web-1"]
    assert ids(tag=["all", "t2"]) == ["web-2"]
    assert [entry["ServiceID"] for entry in agent.catalog.service("web", tag="t0")[1]] == ["web-0"]
    assert [check["CheckID"] for check in agent.health.checks("web")[1]] == ["c0", "c1", "c2"]
    for state, expected in [("passing", "c0"), ("warning", "c1"), ("critical", "c2")]:
        found = [check["CheckID"] for check in agent.health.state(state)[1]]
        assert [check for check in found if check != "serfHealth"] == [expected]
    assert len(agent.health.state("any")[1]) == 4
    with pytest.raises(consul.exceptions.BadRequest, match="Invalid state"):
        agent.health.state("unknown")
    assert len(agent.health.node(socket.gethostname())[1]) == 4
    assert agent.server.metric("weir_registry_services") == 3
    for status in ["passing", "warning", "critical"]:
        assert agent.server.metric(f'weir_registry_checks{{status="{status}"}}') == 1


def test_a_ttl_check_is_told_and_runs_out(agent):
    agent.agent.service.register("web", check=consul.Check.ttl("2s"))
    assert status_of(agent, "service:web") == "critical"
    for tell, status in [
        (agent.agent.check.ttl_warn, "warning"), (agent.agent.check.ttl_fail, "critical"),
        (agent.agent.check.ttl_pass, "passing"),
    ]:
        assert tell("service:web", notes=f"it is {status}")
        check = agent.agent.checks()["service:web"]
        assert (check["Status"], check["Output"]) == (status, f"it is {status}")
    await_status(agent, "service:web", "critical")
    output = agent.agent.checks()["service:web"]["Output"]
    assert output == "TTL expired (last output before timeout follows): it is passing"
    update = httpx.put(
        f"{agent.server.admin_url}/v1/agent/check/update/service:web", json={"Status": "passing", "Output": "x" * 5000}
    )
    assert update.status_code == 200
    check = agent.agent.checks()["service:web"]
    assert check["Status"] == "passing"
    assert check["Output"] == "x" * 4096 + " ... (captured 4096 of 5000 bytes)"


def test_an_http_check_follows_the_server(agent, checked):
    agent.agent.service.register(
        "web",
        check=consul.Check.http(
            f"http://127.0.0.1:{checked.port}/healthz?deep", "1s", timeout="2s", header={"X-Probe": ["yes"]}
        ),
    )
    for status, word in [(200, "passing"), (429, "warning"), (500, "critical"), (201, "passing")]:
        checked.status = status
        await_status(agent, "service:web", word)
    check = agent.agent.checks()["service:web"]
    assert (check["Type"], check["Interval"], check["Timeout"]) == ("http", "1s", "2s")
    assert check["Output"].startswith(f"HTTP GET http://127.0.0.1:{checked.port}/healthz?deep: 201 ")
    assert set(checked.requests) == {("/healthz?deep", "yes")}


def test_a_check_counts_before_it_turns(agent, checked):
    check = consul.Check.http(f"http://127.0.0.1:{checked.port}/", "1s")
    check |= {"FailuresBeforeWarning": 2, "FailuresBeforeCritical": 3, "SuccessBeforePassing": 2}
    agent.agent.service.register("web", check=check)
    await_status(agent, "service:web", "passing")
    # It may have been asked again before this looks, but never too seldom.
    checked.status = 500
    await_status(agent, "service:web", "warning")
    assert checked.answers[500] >= 2
    await_status(agent, "service:web", "critical")
    assert checked.answers[500] >= 3
    checked.status = 201
    await_status(agent, "service:web", "passing")
    assert checked.answers[201] >= 2


def test_a_tcp_check_connects_and_ends_with_its_registration(agent):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        agent.agent.check.register("db", consul.Check.tcp("localhost", port, "1s"))
        await_status(agent, "db", "passing")
        assert agent.agent.checks()["db"]["Output"] == f"TCP connect localhost:{port}: Success"
    await_status(agent, "db", "critical")
    assert agent.agent.check.deregister("db")
    assert agent.agent.checks() == {}


def test_maintenance_takes_out_of_use(agent):
    agent.agent.service.register("web")
    assert len(agent.health.service("web", passing=True)[1]) == 1
    assert agent.agent.service.maintenance("web", True, reason="disk")
    assert agent.health.service("web", passing=True)[1] == []
    check = agent.agent.checks()["_service_maintenance:web"]
    assert (check["Status"], check["Notes"], check["ServiceName"]) == ("critical", "disk", "web")
    assert agent.agent.service.maintenance("web", False)
    assert agent.agent.maintenance(True)
    assert agent.health.service("web", passing=True)[1] == []
    assert agent.agent.maintenance(False)
    assert len(agent.health.service("web", passing=True)[1]) == 1


def test_registering_again_keeps_the_health(agent):
    agent.agent.service.register("web", check=consul.Check.ttl("1m"))
    agent.agent.check.ttl_pass("service:web")
    agent.agent.check.register("other", consul.Check.ttl("1m"), service_id="web")
    agent.agent.service.register("web", port=81, check=consul.Check.ttl("1m"))
    assert status_of(agent, "service:web") == "passing"
    assert "other" in agent.agent.checks()
    agent.agent.service.register("web", port=81, check=consul.Check.ttl("1m"), replace_existing_checks=True)
    assert set(agent.agent.checks()) == {"service:web"}


# Waiting


def test_a_query_that_waits_is_woken_by_what_it_waits_for(agent):
    index, _ = agent.health.service("web")
    asked = Asked(lambda: agent.health.service("web", index=index, wait="30s"))
    # Something else changes: that wakes nobody.
    agent.agent.service.register("other")
    other = int(agent.health.service("other")[0])
    assert other > int(index)
    assert asked.is_alive()
    agent.agent.service.register("web", check=consul.Check.ttl("1m"))
    woken, services = asked.result()
    assert int(woken) > other
    # It is woken by the first change; the next one is there or to be waited for.
    assert len(services) == 1
    for change in [agent.agent.check.ttl_pass, agent.agent.check.ttl_warn]:
        index, _ = agent.health.service("web")
        asked = Asked(lambda: agent.health.service("web", index=index, wait="30s"))
        change("service:web")
        assert int(asked.result()[0]) > int(index)
    for ask in [agent.catalog.services, lambda **options: agent.health.state("any", **options)]:
        index, _ = ask()
        asked = Asked(lambda: ask(index=index, wait="30s"))
        agent.agent.service.deregister("web")
        assert int(asked.result()[0]) > int(index)
        agent.agent.service.register("web", check=consul.Check.ttl("1m"))


def test_a_query_that_waits_in_vain_has_the_same_index(agent):
    agent.agent.service.register("web")
    index, services = agent.health.service("web")
    began = time.monotonic()
    assert agent.health.service("web", index=index, wait="1s") == (index, services)
    assert time.monotonic() - began >= 1


def test_a_client_that_leaves_frees_its_place(agent):
    index, _ = agent.health.service("web")
    # Far more than may wait at once, one after the other.
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", agent.server.admin_port)) as client:
            client.sendall(f"GET /v1/health/service/web?index={index}&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def waits():
        path = f"/v1/health/service/web?index={index}&wait=10ms"
        return httpx.get(agent.server.admin_url + path).status_code == 200

    eventually(waits, "a query may wait again")


def test_a_query_too_many_is_refused_and_probes_are_answered(agent):
    index, _ = agent.health.service("web")
    path = f"/v1/health/service/web?index={index}&wait=10m"
    clients = [socket.create_connection(("127.0.0.1", agent.server.admin_port)) for _ in range(192)]
    for client in clients:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def refused():
        try:
            return httpx.get(agent.server.admin_url + path, timeout=0.5).status_code == 429
        except httpx.ReadTimeout:
            return False

    eventually(refused, "there are too many")
    assert agent.server.metric("weir_registry_queries_waiting") == 192
    assert agent.server.ask_admin("/livez")[0] == 200
    # They are all woken.
    agent.agent.service.register("web")
    for client in clients:
        with client:
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_stop_does_not_wait_for_queries(agent):
    index, _ = agent.health.service("web")
    with socket.create_connection(("127.0.0.1", agent.server.admin_port)) as client:
        client.sendall(f"GET /v1/health/service/web?index={index}&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert agent.server.ask_admin("/livez")[0] == 200
        agent.server.signal()
        assert agent.server.wait() == 0


# What is refused


def test_mistakes_are_answered_in_consuls_words(agent):
    def ask(method, path, **options):
        reply = httpx.request(method, agent.server.admin_url + path, **options)
        assert reply.headers["content-type"].startswith("text/plain")
        return reply.status_code, reply.text

    agent.agent.check.register("tcp", consul.Check.tcp("127.0.0.1", 1, "1m"))
    assert ask("PUT", "/v1/agent/service/register", json={"Port": 1}) == (400, "Missing service name")
    assert ask("PUT", "/v1/agent/service/register", content="{") == (
        400, "Request decode failed: the body is no JSON",
    )
    assert ask("PUT", "/v1/agent/service/deregister/x") == (
        404, 'Unknown service ID "x". Ensure that the service ID is passed, not the service name.',
    )
    assert ask("PUT", "/v1/agent/check/pass/x") == (
        404, 'Unknown check ID "x". Ensure that the check ID is passed, not the check name.',
    )
    assert ask("PUT", "/v1/agent/check/pass/tcp") == (500, 'CheckID "tcp" does not have associated TTL')
    assert ask("PUT", "/v1/agent/check/register", json={"Name": "a", "TTL": "1s", "ServiceID": "x"}) == (
        404, 'ServiceID "x" does not exist',
    )
    assert ask("PUT", "/v1/agent/service/maintenance/x") == (400, "Missing value for enable")
    assert ask("GET", "/v1/health/service/web?index=x") == (400, "Invalid index")
    assert ask("GET", "/v1/health/service/web?wait=5") == (400, "Invalid wait time")
    assert ask("GET", "/v1/health/service/web?filter=a") == (400, "Query parameter filter is not supported")
    assert ask("GET", "/v1/catalog/services?dc=dc2") == (500, "No path to datacenter")
    with pytest.raises(consul.exceptions.BadRequest):
        agent.agent.service.register("")
    reply = httpx.get(agent.server.admin_url + "/v1/agent/service/register")
    assert reply.status_code == 404
    assert httpx.post(agent.server.admin_url + "/v1/agent/check/pass/x").status_code == 405


def own_address():
    """An address of this machine that is not loopback; connecting decides nothing, and nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def test_writing_needs_the_token_where_one_is_set(serve):
    server = serve(WEIR_ADMIN_LISTEN="0.0.0.0:0", WEIR_ADMIN_TOKEN=TOKEN)
    host = own_address()
    assert not host.startswith("127.")

    def client(token=None):
        return consul.Consul(host=host, port=server.admin_port, token=token)

    for wrong in [None, "wrong"]:
        with pytest.raises(consul.ACLPermissionDenied, match="Permission denied"):
            client(wrong).agent.service.register("web")
    # Reading is for everybody.
    assert client().agent.services() == {}
    assert client(TOKEN).agent.service.register("web")
    reply = httpx.put(
        f"http://{host}:{server.admin_port}/v1/agent/service/deregister/web",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert reply.status_code == 200
    assert client().agent.services() == {}
    # So it does from the same pod.
    local = consul.Consul(host="127.0.0.1", port=server.admin_port)
    with pytest.raises(consul.ACLPermissionDenied, match="Permission denied"):
        local.agent.service.register("web")
    assert consul.Consul(host="127.0.0.1", port=server.admin_port, token=TOKEN).agent.service.register("web")


def test_a_registry_has_bounds(agent):
    # One check more than there may be; the registration that holds it changes nothing.
    checks = [{"TTL": "1m", "CheckID": f"c{number}"} for number in range(2049)]
    reply = httpx.put(
        f"{agent.server.admin_url}/v1/agent/service/register", content=json.dumps({"Name": "web", "Checks": checks})
    )
    assert (reply.status_code, reply.text) == (429, "Too many checks: at most 2048")
    assert agent.agent.services() == {} and agent.agent.checks() == {}


@pytest.mark.parametrize("method, path, status, text", [
    ("PUT", "agent/service/register?replace-existing-checks=perhaps", 400, "Invalid value for replace-existing-checks"),
    ("PUT", "agent/service/register?dc=west", 500, "No path to datacenter"),
    ("PUT", "agent/service/register?ns=shop", 400, "Query parameter ns is not supported"),
    ("PUT", "agent/service/deregister/web?dc=west", 500, "No path to datacenter"),
    ("GET", "health/service/", 400, "Missing service name"),
    ("GET", "health/state/unknown", 400, 'Invalid state "unknown"'),
])  # fmt: skip
def test_what_cannot_be_done_as_it_was_asked_is_refused(agent, method, path, status, text):
    agent.agent.service.register("web")
    reply = httpx.request(method, f"{agent.server.admin_url}/v1/{path}", content='{"Name": "other"}')
    assert (reply.status_code, reply.text[: len(text)]) == (status, text)
    assert set(agent.agent.services()) == {"web"}


@pytest.mark.parametrize("value, replaces", [("", True), ("=1", True), ("=t", True), ("=TRUE", True), ("=0", False)])
def test_whether_checks_are_replaced_is_a_boolean(agent, value, replaces):
    agent.agent.service.register("web")
    agent.agent.check.register("other", consul.Check.ttl("1m"), service_id="web")
    reply = httpx.put(
        f"{agent.server.admin_url}/v1/agent/service/register?dc=dc1&replace-existing-checks{value}",
        content='{"Name": "web"}',
    )
    assert reply.status_code == 200
    assert ("other" in agent.agent.checks()) == (not replaces)


def test_a_registration_of_many_levels_is_refused(agent):
    reply = httpx.put(f"{agent.server.admin_url}/v1/agent/service/register", content="[" * 3000 + "]" * 3000)
    assert (reply.status_code, reply.text) == (400, "Request decode failed: the body has more than 16 levels")


def test_a_name_that_nobody_answers_for_holds_no_other_check_up(gateway, upstream):
    dns = DNSServer()
    try:
        server = gateway(upstream(), WEIR_DNS_SERVERS=dns.address)
        agent = consul.Consul(host="127.0.0.1", port=server.admin_port)
        for number in range(12):
            dns.silence(f"n{number}.test")
            agent.agent.check.register(f"n{number}", consul.Check.tcp(f"n{number}.test", 80, "1s"))
        agent.agent.check.register("well", consul.Check.tcp("localhost", server.admin_port, "1s"))
        await_status(agent, "well", "passing")
        index = agent.agent.checks()["well"]["ModifyIndex"]
        for number in range(12):
            eventually(lambda: dns.questions(f"n{number}.test"), "it is asked for")
        eventually(lambda: "not looked up in time" in agent.agent.checks()["n0"]["Output"], "one has run in vain", 30)
        check = agent.agent.checks()["well"]
        # It has not been anything else meanwhile.
        assert (check["Status"], check["ModifyIndex"]) == ("passing", index)
    finally:
        dns.stop()
