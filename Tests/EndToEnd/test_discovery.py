# SPDX-License-Identifier: Apache-2.0
# Endpoints that are found while the gateway runs: by a name server whose answers change, in a file, and from a server
# that speaks Consul's API. What fails takes nothing away.

import json
import os
import threading
from pathlib import Path

import httpx
import pytest
import yaml

from certificates import Authority
from control import page, start, urls, wait_for_urls
from dns_server import DNSServer
from polling import eventually
from secure_upstream import SecureUpstream, server_context
from server import run_to_failure
from upstream import Upstream, answer, repeating

UPDATES = "weir_discovery_updates_total"


@pytest.fixture
def dns():
    server = DNSServer()
    yield server
    server.stop()


@pytest.fixture
def pair():
    """Two services on one port, at two addresses, that say which they are."""
    first = Upstream(repeating(answer(b"first")))
    second = Upstream(repeating(answer(b"second")), address=("127.0.0.2", first.port))
    yield first, second
    first.close()
    second.close()


def bodies(server, count=20):
    """Who answers that many requests, each on a connection of its own; all of them must succeed."""
    seen = set()
    for _ in range(count):
        with server.connect() as wire:
            reply = wire.get()
            assert reply.status == 200
            seen.add(reply.body.decode())
    return seen


def updates(server, provider, outcome):
    return f'{UPDATES}{{upstream="orders",provider="{provider}",outcome="{outcome}"}}'


def test_endpoints_follow_the_answers_of_a_name_server(gateway, tmp_path, dns, pair):
    port = pair[0].port
    first, second = f"http://127.0.0.1:{port}", f"http://127.0.0.2:{port}"
    dns.set("orders.test", "A 127.0.0.1")
    source = f"dns://orders.test:{port}"
    server = start(gateway, tmp_path, {"discover": source}, WEIR_DNS_SERVERS=dns.address)
    wait_for_urls(server, first)
    assert bodies(server) == {"first"}
    assert pair[0].requests[-1].header("host") == "test"
    dns.set("orders.test", "A 127.0.0.1", "A 127.0.0.2")
    wait_for_urls(server, first, second)
    assert bodies(server) == {"first", "second"}
    dns.set("orders.test", "A 127.0.0.2")
    wait_for_urls(server, second)
    assert bodies(server) == {"second"}
    assert page(server)["source"] == {"url": source, "endpoints": 1, "problem": None}


def test_a_name_that_is_gone_and_a_server_that_is_dead_take_nothing_away(gateway, tmp_path, dns, pair):
    port = pair[0].port
    first, second = f"http://127.0.0.1:{port}", f"http://127.0.0.2:{port}"
    dns.set("orders.test", "A 127.0.0.1")
    server = start(gateway, tmp_path, {"discover": f"dns://orders.test:{port}"}, WEIR_DNS_SERVERS=dns.address)
    wait_for_urls(server, first)
    dns.remove("orders.test")
    server.wait_for_metric(updates(server, "dns", "failed"), 1)
    problem = page(server)["source"]["problem"]
    assert "orders.test: the name does not exist; 1 are kept" in problem
    assert server.messages.count(problem) == 1
    assert bodies(server) == {"first"}
    dns.stop()
    failed = server.metric(updates(server, "dns", "failed"))
    server.wait_for_metric(updates(server, "dns", "failed"), failed + 1)
    assert bodies(server) == {"first"}
    dns.start()
    dns.set("orders.test", "A 127.0.0.2")
    wait_for_urls(server, second, seconds=40)
    eventually(lambda: page(server)["source"]["problem"] is None, "nothing is wrong any more")
    assert bodies(server) == {"second"}


def test_names_that_nobody_answers_for_take_no_thread(gateway, tmp_path, dns, pair):
    dns.set("orders.test", "A 127.0.0.1")
    names = [f"n{number}.test" for number in range(32)]
    for name in names:
        dns.silence(name)
    upstreams = {f"u{number}": {"discover": f"dns://{name}:80"} for number, name in enumerate(names)}

    def threads(more):
        file = tmp_path / "weir.yaml"
        known = {"orders": {"discover": f"dns://orders.test:{pair[0].port}"}}
        routes = [{"match": {"path": f"/{name}"}, "upstream": name} for name in more]
        routes.append({"match": {"path": "/*"}, "upstream": "orders"})
        file.write_text(yaml.safe_dump({"upstreams": {**known, **more}, "routes": routes}))
        server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file, WEIR_DNS_SERVERS=dns.address)
        wait_for_urls(server, f"http://127.0.0.1:{pair[0].port}")
        for name in names if more else []:
            eventually(lambda: dns.questions(name), f"{name} is asked for")
        return len(list(Path(f"/proc/{server.pid}/task").iterdir()))

    assert threads(upstreams) == threads({})


def test_services_have_ports_of_their_own(gateway, upstream, tmp_path, dns):
    one, two = upstream(repeating(answer(b"one"))), upstream(repeating(answer(b"two")))
    dns.set("a.test", "A 127.0.0.1")
    dns.set("_http._tcp.orders.test", f"SRV 0 3 {one.port} a.test.", f"SRV 0 1 {two.port} a.test.")
    source = "dns+srv://_http._tcp.orders.test"
    server = start(gateway, tmp_path, {"discover": source}, WEIR_DNS_SERVERS=dns.address)
    eventually(lambda: set(urls(server)) == {one.url, two.url}, "both are found")
    assert {endpoint["url"]: endpoint["weight"] for endpoint in page(server)["endpoints"]} == {one.url: 3, two.url: 1}
    assert bodies(server, 40) == {"one", "two"}


def test_a_name_in_a_list_is_one_endpoint_with_the_addresses_of_its_answer(gateway, dns, pair):
    port = pair[0].port
    dns.set("orders.test", "A 127.0.0.1")
    server = gateway(f"http://orders.test:{port}", WEIR_DNS_SERVERS=dns.address)

    def addresses():
        (endpoint,) = page(server, "default")["endpoints"]
        return endpoint["addresses"]

    eventually(lambda: addresses() == [f"127.0.0.1:{port}"], "the name is found")
    assert bodies(server) == {"first"}
    dns.set("orders.test", "A 127.0.0.1", "A 127.0.0.2")
    eventually(lambda: addresses() == [f"127.0.0.1:{port}", f"127.0.0.2:{port}"], "both are known")
    dns.remove("orders.test")
    dns.wait_for_question("orders.test")
    assert len(addresses()) == 2
    assert "first" in bodies(server)


@pytest.mark.parametrize("servers", ["dns.test", "10.0.0.1:0", "10.0.0.1,,10.0.0.2"])
def test_name_servers_that_are_none(servers):
    code, lines = run_to_failure({"WEIR_UPSTREAM": "http://127.0.0.1:1", "WEIR_DNS_SERVERS": servers})
    assert code == 78 and len(lines) == 1 and "WEIR_DNS_SERVERS" in lines[0], (code, lines)


def test_a_file_that_is_swapped_by_a_link(gateway, upstream, tmp_path):
    """As the kubelet swaps a ConfigMap: `orders` leads through `..data`, which is another folder at once."""
    one, two = upstream(repeating(answer(b"one"))), upstream(repeating(answer(b"two")))
    mount = tmp_path / "mount"
    for folder, endpoint in (("..1", one), ("..2", two)):
        (mount / folder).mkdir(parents=True)
        (mount / folder / "orders").write_text(f"{endpoint.url}\n")
    (mount / "..data").symlink_to("..1")
    (mount / "orders").symlink_to("..data/orders")
    server = start(gateway, tmp_path, {"discover": f"file://{mount}/orders"})
    wait_for_urls(server, one.url)
    assert bodies(server) == {"one"}
    (mount / "..next").symlink_to("..2")
    os.replace(mount / "..next", mount / "..data")
    # Below the 10 s of the look that waits for no word: inotify told.
    wait_for_urls(server, two.url, seconds=8)
    assert bodies(server) == {"two"}


def test_a_file_that_is_wrong_takes_nothing_away(gateway, upstream, tmp_path):
    one, two = upstream(repeating(answer(b"one"))), upstream(repeating(answer(b"two")))
    file = tmp_path / "orders"
    file.write_text(f"{one.url};weight=2\n")
    server = start(gateway, tmp_path, {"discover": f"file://{file}"})
    wait_for_urls(server, one.url)
    file.write_text("ftp://127.0.0.1\n")
    server.wait_for_metric(updates(server, "file", "failed"), 1)
    assert "ftp" in page(server)["source"]["problem"]
    assert urls(server) == [one.url] and bodies(server) == {"one"}
    file.write_text(f"{one.url}\n{two.url}\n")
    wait_for_urls(server, one.url, two.url)
    eventually(lambda: page(server)["source"]["problem"] is None, "nothing is wrong any more")


def test_a_source_that_lists_nothing_at_the_start_is_waited_for(gateway, upstream, tmp_path):
    one = upstream(repeating(answer(b"one")))
    file = tmp_path / "orders"
    server = start(gateway, tmp_path, {"discover": f"file://{file}"})
    with server.connect() as wire:
        assert wire.get().status != 200
    assert server.ask_admin("/readyz")[0] == 503
    file.write_text(one.url)
    wait_for_urls(server, one.url)
    eventually(lambda: server.ask_admin("/readyz")[0] == 200, "it is ready")
    assert bodies(server) == {"one"}


class Catalog:
    """Speaks as much of Consul's API as a blocking query needs."""

    def __init__(self, make=Upstream):
        self.changed = threading.Condition()
        self.index, self.instances, self.requests = 1, [], []
        self.upstream = make(self.serve)

    def set(self, *instances):
        with self.changed:
            self.index += 1
            self.instances = instances
            self.changed.notify_all()

    def serve(self, peer):
        while True:
            request = peer.request()
            self.requests.append(request)
            with self.changed:
                asked = f"index={self.index}" in request.target.replace("&", "?").split("?")
                if asked:
                    self.changed.wait(60)
                body = json.dumps([self.entry(*instance) for instance in self.instances]).encode()
                peer.send(answer(body, headers=["Content-Type: application/json", f"X-Consul-Index: {self.index}"]))

    @staticmethod
    def entry(number, port, status, weights):
        return {
            "Node": {"Node": "n", "Address": "127.0.0.1"},
            "Service": {
                "ID": f"orders-{number}",
                "Service": "orders",
                "Address": "127.0.0.1",
                "Port": port,
                "Weights": dict(zip(("Passing", "Warning"), weights)),
            },
            "Checks": [{"CheckID": f"service:orders-{number}", "Status": status}],
        }

    def close(self):
        self.set(*self.instances)
        self.upstream.close()


@pytest.fixture
def catalog():
    catalog = Catalog()
    yield catalog
    catalog.close()


def test_a_consul_server_that_speaks_tls(gateway, upstream, tmp_path):
    authority, one = Authority(tmp_path), upstream(repeating(answer(b"one")))
    context = server_context(authority.pair("server", "server.dc1.consul"), clients=authority.file)
    catalog = Catalog(lambda script: SecureUpstream(context, script))
    try:
        catalog.set((1, one.port, "passing", (7, 1)))
        configuration = {"discover": f"consul+https://127.0.0.1:{catalog.upstream.port}/orders"}
        certificate, key = authority.pair("gateway", "gateway.test")
        settings = {
            "WEIR_CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
            "WEIR_CONSUL_TLS_CERT": certificate,
            "WEIR_CONSUL_TLS_KEY": key,
        }
        server = start(gateway, tmp_path, configuration, WEIR_CONSUL_TLS_CA=authority.file, **settings)
        wait_for_urls(server, one.url)
        assert bodies(server) == {"one"}
        assert set(catalog.upstream.names) == {"server.dc1.consul"}
        server = start(gateway, tmp_path, configuration, **settings)
        # It is there once the source has been asked.
        problem = eventually(lambda: page(server).get("source", {}).get("problem"), "it is not believed")
        assert "no TLS (unknown_issuer): a certificate above its own (CN=ca) is self-signed" in problem
    finally:
        catalog.close()


def test_instances_of_a_consul_server(gateway, upstream, tmp_path, catalog):
    one, two = upstream(repeating(answer(b"one"))), upstream(repeating(answer(b"two")))
    catalog.set((1, one.port, "passing", (7, 1)))
    source = f"consul://127.0.0.1:{catalog.upstream.port}/orders?tag=v2&tag=eu&dc=west"
    token = "0123456789abcdef-token"
    server = start(gateway, tmp_path, {"discover": source, "balance": "round-robin"}, WEIR_CONSUL_TOKEN=token)
    wait_for_urls(server, one.url)
    assert bodies(server) == {"one"}
    catalog.set((1, one.port, "passing", (7, 1)), (2, two.port, "warning", (7, 2)))
    # It waits for this answer with its next query: no interval is waited out.
    wait_for_urls(server, one.url, two.url)
    assert [endpoint["health"] for endpoint in page(server)["endpoints"]] == ["passing", "warning"]
    assert bodies(server, 60) == {"one", "two"}
    asked = catalog.requests[0]
    assert asked.header("x-consul-token") == token
    assert asked.target == "/v1/health/service/orders?wait=60s&tag=v2&tag=eu&dc=west"
    assert "index=2" in catalog.requests[1].target
    assert token not in server.ask_admin("/config")[1] + "".join(server.log) + server.ask_admin("/upstreams")[1]


def test_instances_that_are_registered_with_another_weir(gateway, upstream, tmp_path):
    one, two = upstream(repeating(answer(b"one"))), upstream(repeating(answer(b"two")))
    catalog = gateway(one)

    def put(path, **body):
        assert httpx.put(f"{catalog.admin_url}/v1/agent/{path}", json=body).status_code == 200

    def register(number, endpoint, **fields):
        place = {"Address": "127.0.0.1", "Port": endpoint.port}
        put("service/register", Name="orders", ID=f"orders-{number}", **place, **fields)

    register(1, one, Weights={"Passing": 3, "Warning": 1})
    server = start(gateway, tmp_path, {"discover": f"consul://127.0.0.1:{catalog.admin_port}/orders"})
    wait_for_urls(server, one.url)
    assert bodies(server) == {"one"}
    assert page(server)["endpoints"][0]["weight"] == 3
    register(2, two, Check={"TTL": "10m", "Status": "passing"})
    wait_for_urls(server, one.url, two.url)
    assert bodies(server) == {"one", "two"}
    put("check/fail/service:orders-2")
    eventually(lambda: [each["health"] for each in page(server)["endpoints"]][1:] == ["critical"], "it is known")
    assert bodies(server) == {"one"}
    put("service/deregister/orders-1")
    wait_for_urls(server, two.url)
