# SPDX-License-Identifier: Apache-2.0
# Who tells of the cluster as an attacker: a Consul server, a name server, an API server, a Redis, and pods to the
# metrics adapter, whose answers are too large, too deep, lead elsewhere, or are none. What was known goes on being used.

import json
import re
import socket
import struct
import threading
from pathlib import Path

import pytest

from cluster import CUSTOM, pod, service, values, wait_for_pods
from control import page, start, urls, wait_for_urls
from kubernetes_api import endpoint, endpoint_slice
from polling import eventually
from server import IS_SANITIZED
from upstream import Upstream, answer, repeating, serve_all

JSON = ["Content-Type: application/json"]


def resident_bytes(server):
    return server.metric("process_resident_memory_bytes")


def peaks(server):
    """The most memory that it had set aside, and the most that was filled, in bytes."""
    text = Path(f"/proc/{server.pid}/status").read_text()
    return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) << 10 for name in ("VmPeak", "VmHWM")}


def instance(port, address="127.0.0.1", **service):
    return {
        "Node": {"Node": "n", "Address": address},
        "Service": {"ID": f"o-{address}-{port}", "Address": address, "Port": port, **service},
        "Checks": [{"Status": "passing"}],
    }


class Consul:
    """Answers the first question well, and every one after it as it was told."""

    def __init__(self, known, hostile):
        self.known, self.hostile = known, hostile
        self.asked, self.is_first = [], True
        self.upstream = Upstream(self._serve)

    def _serve(self, peer):
        while True:
            asked = peer.request()
            self.asked.append(asked)
            if self.is_first:
                self.is_first = False
                peer.send(answer(json.dumps(self.known).encode(), headers=["X-Consul-Index: 5", *JSON]))
            elif callable(self.hostile):
                self.hostile(peer)
            else:
                peer.send(self.hostile)

    def close(self):
        self.upstream.close()


def endless(beginning, piece):
    def script(peer):
        peer.send(beginning)
        while True:
            peer.send(piece)

    return script


HEAD = b"HTTP/1.1 200 OK\r\n"
HOSTILE_ANSWERS = {
    "more than there may be": answer(b"[" + b" " * (5 << 20) + b"]", headers=JSON),
    "an announcement of more": HEAD + b"Content-Length: 9223372036854775807\r\n\r\n[",
    "a body without end": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"),
    "a body that ends with nothing": endless(HEAD + b"\r\n", b" " * 4096),
    "a head without end": endless(HEAD, b"X-More: value\r\n" * 100),
    "a hundred thousand brackets": answer(b"[" * 100_000, headers=JSON),
    "deep and whole": answer(b"[" * 50_000 + b"]" * 50_000, headers=JSON),
    "not what it says": answer(b'{"a": 1}', headers=JSON),
    "numbers beyond numbers": answer(b'[{"Node": {}, "Service": {"Port": 1e999}}]', headers=JSON),
    "not UTF-8": answer(b'[{"Node": {"Node": "\xff\xfe"}}]', headers=JSON),
    "a place to go": answer(b"", "302 Found", ["Location: http://127.0.0.1:{elsewhere}/v1/health/service/orders"]),
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "two answers": answer(b"{}", "500 No", JSON) + answer(b"[]", headers=JSON),
}


@pytest.mark.parametrize("what", HOSTILE_ANSWERS)
def test_what_consul_says_wrong_takes_nothing_away(gateway, upstream, tmp_path, what):
    known, elsewhere = upstream(), Upstream(serve_all)
    hostile = HOSTILE_ANSWERS[what]
    if isinstance(hostile, bytes):
        hostile = hostile.replace(b"{elsewhere}", str(elsewhere.port).encode())
    consul = Consul([instance(known.port)], hostile)
    try:
        source = f"consul://127.0.0.1:{consul.upstream.port}/orders"
        server = start(gateway, tmp_path, {"discover": source}, WEIR_CONSUL_TOKEN="a-token-for-consul")
        wait_for_urls(server, known.url)
        before = resident_bytes(server)
        eventually(lambda: page(server).get("source", {}).get("problem"), "it says that the answer is none")
        assert len(page(server)["source"]["problem"]) < 1000
        assert urls(server) == [known.url]
        with server.connect() as wire:
            assert wire.get().status == 200
        assert IS_SANITIZED or resident_bytes(server) - before < 24 << 20
        # A redirect would carry the token wherever the answer leads.
        assert elsewhere.connections == []
        assert "a-token-for-consul" not in "".join(server.log) + server.ask_admin("/upstreams")[1]
    finally:
        consul.close()
        elsewhere.close()


PLACES_THAT_ARE_NONE = [
    {"address": "127.0.0.1\r\nX-Injected: yes"},
    {"address": "a b"},
    {"address": "../../run/secret.sock"},
    {"address": "unix:/run/secret.sock"},
    {"address": "user:password@127.0.0.1"},
    {"address": "127.0.0.1/path"},
    {"address": "x" * 5000},
    {"port": 0},
    {"port": 65536},
    {"port": -1},
]
WEIGHTS = [-(2**63), -1, 0, 2**63 - 1]


def test_instances_that_are_nowhere_are_left_out(gateway, upstream, tmp_path):
    known = upstream()
    bad = [instance(**{"port": known.port, **place}) for place in PLACES_THAT_ARE_NONE]
    good = [
        instance(known.port, Weights={"Passing": weight, "Warning": weight}, ID=f"good-{weight}") for weight in WEIGHTS
    ]
    consul = Consul([*bad, *good], answer(b"[]", "500 No"))
    try:
        server = start(gateway, tmp_path, {"discover": f"consul://127.0.0.1:{consul.upstream.port}/orders"})
        eventually(lambda: known.url in urls(server), "the good ones are there")
        assert set(urls(server)) == {known.url}
        with server.connect() as wire:
            assert wire.get().status == 200
        (seen,) = known.requests[-1:]
        assert seen.header("x-injected") is None
    finally:
        consul.close()


def test_more_instances_than_there_may_be_are_bounded(gateway, tmp_path):
    many = [instance(1 + number % 60000, f"127.0.{number >> 8 & 255}.{number & 255}") for number in range(6000)]
    consul = Consul(many, answer(b"[]", "500 No"))
    try:
        server = start(gateway, tmp_path, {"discover": f"consul://127.0.0.1:{consul.upstream.port}/orders"})
        eventually(lambda: page(server)["endpoints"], "there are some")
        assert len(urls(server)) <= 4096
        assert server.ask_admin("/livez")[0] == 200
    finally:
        consul.close()


@pytest.mark.parametrize("weights", [{"Passing": 1, "Warning": 0}])
def test_instances_without_any_weight_trap_nobody(gateway, upstream, tmp_path, weights):
    known = upstream()
    ill = {**instance(known.port, Weights=weights), "Checks": [{"Status": "warning"}]}
    consul = Consul([ill], answer(b"[]", "500 No"))
    try:
        server = start(gateway, tmp_path, {"discover": f"consul://127.0.0.1:{consul.upstream.port}/orders"})
        wait_for_urls(server, known.url)
        with server.connect() as wire:
            assert wire.get().status in (200, 503)
        assert server.ask_admin("/livez")[0] == 200
    finally:
        consul.close()


# Redis


class Redis:
    """Takes connections, and answers whatever it is asked with the same bytes."""

    def __init__(self, beginning, piece=b""):
        self.beginning, self.piece, self.count = beginning, piece, 0
        self.upstream = Upstream(self._serve)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.upstream.port}"

    def _serve(self, peer):
        peer.receive()
        self.count += 1
        peer.send(self.beginning)
        while self.piece:
            peer.send(self.piece)
        peer.wait_for_end()

    def close(self):
        self.upstream.close()


HOSTILE_REPLIES = {
    "a thousand million elements": (b"*1000000000\r\n", b""),
    "two thousand million elements": (b"*2147483647\r\n", b""),
    "more than 32 bits": (b"*4294967297\r\n:1\r\n:1\r\n:1\r\n", b""),
    "within a list of one": (b"*1\r\n*1000000000\r\n", b""),
    "a list without end": (b"*1000000000\r\n", b":1\r\n" * 10_000),
    "lists in lists": (b"*8\r\n" * 7, b"*8\r\n" * 1000),
    "a string of 512 MB": (b"$536870912\r\n", b"x" * 65536),
    "a string of less than nothing": (b"$-9223372036854775808\r\n", b""),
    "a line without end": (b"+", b"x" * 65536),
    "an error without end": (b"-", b"x" * 65536),
    "replies that nobody asked for": (b"", b":1\r\n" * 10_000),
    "no Redis": (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""),
}


@pytest.mark.parametrize("what", HOSTILE_REPLIES)
def test_what_redis_says_wrong_holds_no_request_up(gateway, upstream, what):
    redis = Redis(*HOSTILE_REPLIES[what])
    try:
        server = gateway(
            upstream(),
            WEIR_RATE_LIMIT="1000/s",
            WEIR_RATE_LIMIT_SCOPE="cluster",
            WEIR_REDIS=redis.url,
            WEIR_REPLICAS=1,
            WEIR_LOOPS=1,
        )
        before = peaks(server)
        with server.connect() as wire:

            def asked_again():
                assert wire.get().status == 200
                return redis.count >= 3

            eventually(asked_again, "it is given up and asked again, and requests go on meanwhile", 30)
        # Neither filled nor only set aside: hiredis would look at each element when it lets go of them.
        after = peaks(server)
        assert after["VmPeak"] - before["VmPeak"] < 1 << 30
        assert after["VmHWM"] - before["VmHWM"] < 16 << 20
    finally:
        redis.close()


# DNS


class Datagrams:
    """A name server that answers each question with the bytes that a function makes of it."""

    def __init__(self, reply):
        self.reply = reply
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.count = 0
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            self.count += 1
            self.socket.sendto(self.reply(query), client)

    def close(self):
        self.socket.close()


def echoed(query, count, answers):
    """A good head and the question, with these bytes as `count` answers."""
    return query[:2] + b"\x81\x80" + query[4:6] + struct.pack("!HHH", count, 0, 0) + query[12:] + answers


def record(target, priority=0, weight=1, port=80, ttl=1):
    data = struct.pack("!HHH", priority, weight, port) + target
    return b"\xc0\x0c\x00\x21\x00\x01" + struct.pack("!IH", ttl, len(data)) + data


HOSTILE_MESSAGES = {
    "nothing behind the head": lambda query: echoed(query, 1, b""),
    "a name that points at itself": lambda query: echoed(query, 1, record(b"\xc0\x3c")),
    "a name that points beyond the end": lambda query: echoed(query, 1, record(b"\xff\xff")),
    "more answers than there are": lambda query: echoed(query, 65535, record(b"\x01a\x00")),
    "a record longer than the message": lambda query: echoed(query, 1, b"\xc0\x0c\x00\x21\x00\x01\0\0\0\1\xff\xff\0"),
    "a time beyond 31 bits": lambda query: echoed(query, 1, record(b"\x01a\x00", ttl=0xFFFFFFFF)),
    "port 0": lambda query: echoed(query, 1, record(b"\x01a\x00", port=0)),
    "a target that ends a line": lambda query: echoed(query, 1, record(b"\x10a\r\nX-Injected: y\x00")),
    "a target with a blank": lambda query: echoed(query, 1, record(b"\x03a b\x00")),
    "a target with a zero": lambda query: echoed(query, 1, record(b"\x03a\0b\x00")),
    "two bytes": lambda query: query[:2],
    "nothing": lambda query: b"",
    "noise": lambda query: query[:2] + bytes(range(256)) * 2,
}


@pytest.mark.parametrize("what", HOSTILE_MESSAGES)
def test_what_a_name_server_says_wrong_is_no_endpoint(gateway, tmp_path, what):
    server_of_names = Datagrams(HOSTILE_MESSAGES[what])
    try:
        source = "dns+srv://_http._tcp.orders.test"
        settings = {"WEIR_DNS_SERVERS": server_of_names.address, "WEIR_DEADLINE": "1s"}
        server = start(gateway, tmp_path, {"discover": source}, **settings)
        eventually(lambda: server_of_names.count >= 2, "it is asked")
        assert urls(server) == []
        with server.connect() as wire:
            # Whether it says that there is nobody or says nothing that can be read: the deadline is the longest wait.
            assert wire.get().status in (503, 504)
        assert server.ask_admin("/livez")[0] == 200
    finally:
        server_of_names.close()


# Kubernetes


class API:
    """Answers the first list well, and everything after it as it was told."""

    def __init__(self, port, hostile):
        self.hostile, self.is_first, self.asked = hostile, True, []
        thing = endpoint_slice("orders-a", [endpoint("127.0.0.1", ready=True)], port)
        self.list = {"kind": "EndpointSliceList", "metadata": {"resourceVersion": "1"}, "items": [thing]}
        self.upstream = Upstream(self._serve)

    def _serve(self, peer):
        while True:
            self.asked.append(peer.request())
            if self.is_first:
                self.is_first = False
                peer.send(answer(json.dumps(self.list).encode(), headers=JSON))
            elif callable(self.hostile):
                self.hostile(peer)
            else:
                peer.send(self.hostile)

    def close(self):
        self.upstream.close()


STREAM = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE_WATCHES = {
    "a line without end": endless(STREAM, b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "a hundred thousand brackets": STREAM + b"186a1\r\n" + b"[" * 100_000 + b"\n\r\n",
    "an error that is none": answer(b'{"kind": "Status", "code": "x"}', "500 No", JSON),
    "a place to go": answer(b"", "302 Found", ["Location: http://127.0.0.1:{elsewhere}/"]),
    "a body without end": endless(HEAD.replace(b"200 OK", b"500 No") + b"\r\n", b"x" * 4096),
    "another time to ask": answer(b"{}", "429 No", ["Retry-After: 99999999999999999999", *JSON]),
    "noise": b"\x00\x01\x02\xff" * 100 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", HOSTILE_WATCHES)
def test_what_an_api_server_says_wrong_takes_nothing_away(gateway, upstream, tmp_path, what):
    known, elsewhere = upstream(), Upstream(serve_all)
    hostile = HOSTILE_WATCHES[what]
    if isinstance(hostile, bytes):
        hostile = hostile.replace(b"{elsewhere}", str(elsewhere.port).encode())
    api = API(known.port, hostile)
    account = tmp_path / "account"
    account.mkdir()
    try:
        settings = {"WEIR_KUBERNETES_API": api.upstream.url, "WEIR_KUBERNETES_ACCOUNT": account}
        server = start(gateway, tmp_path, {"discover": "k8s://shop/orders:http"}, **settings)
        wait_for_urls(server, known.url)
        before = resident_bytes(server)
        eventually(lambda: page(server).get("source", {}).get("problem"), "it says what is wrong")
        assert len(page(server)["source"]["problem"]) < 1000
        assert urls(server) == [known.url]
        with server.connect() as wire:
            assert wire.get().status == 200
        assert IS_SANITIZED or resident_bytes(server) - before < 24 << 20
        assert elsewhere.connections == []
    finally:
        api.close()
        elsewhere.close()


# Pods, to the metrics adapter

QUEUE = (
    '{"utilization":U,"offered_load":U,"executing":U,"queued":U,"concurrency_limit":U,"queue_limit":U,"queued_peak":U,'
    '"oldest_seconds":U,"queue_seconds_total":U,"execution_seconds_total":U,"arrived_total":U,"rejected_total":U,'
    '"streams_active":U}'
)
HOSTILE_PODS = {
    "below zero": answer(QUEUE.replace("U", "-1").encode(), headers=JSON),
    "no number": answer(QUEUE.replace("U", "NaN").encode(), headers=JSON),
    "beyond counters": answer(QUEUE.replace("U", "1e19").encode(), headers=JSON),
    "beyond numbers": answer(QUEUE.replace("U", "1e999").encode(), headers=JSON),
    "deep": answer(b"[" * 100_000, headers=JSON),
    "too much": answer(b" " * (1 << 20) + QUEUE.replace("U", "1").encode(), headers=JSON),
    "without end": endless(HEAD + b"\r\n", b" " * 4096),
}


@pytest.mark.parametrize("what", HOSTILE_PODS)
def test_what_a_pod_says_wrong_takes_nothing_from_others(adapter, asking, cluster, serve, upstream, what):
    hostile = HOSTILE_PODS[what]
    wrong = upstream(repeating(hostile) if isinstance(hostile, bytes) else lambda peer: (peer.request(), hostile(peer)))
    cluster.pods.set(pod("good", serve()))
    cluster.pods.set(pod("wrong", port=wrong.port))
    server = adapter()
    api = asking(server)
    server.wait_for_metric('weir_adapter_pods{state="missing"}', 1)
    wait_for_pods(api, "good")
    assert list(values(api)) == ["good"]


def test_the_largest_numbers_of_pods_are_numbers(adapter, asking, cluster, upstream):
    """What is larger is no answer, so their sum is a number, too."""
    for name in ("one", "two"):
        largest = upstream(repeating(answer(QUEUE.replace("U", "1e18").encode(), headers=JSON)))
        cluster.pods.set(pod(name, port=largest.port))
    cluster.services.set(service("orders", {"app": "orders"}))
    server = adapter()
    api = asking(server)
    wait_for_pods(api, "one", "two")
    assert set(values(api).values()) == {"1000000000000000"}
    limits = f"{CUSTOM}/services/orders/weir_queue_limit"
    eventually(lambda: api.get(limits)[0] != 404, "the service is known")
    for metric in ("weir_utilization_ratio", "weir_offered_load", "weir_requests_queued", "weir_requests_queued_peak"):
        assert api.get(f"{CUSTOM}/services/orders/{metric}")[0] == 200, metric
    assert server.ask_admin("/livez")[0] == 200
