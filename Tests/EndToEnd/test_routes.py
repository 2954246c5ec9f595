# SPDX-License-Identifier: Apache-2.0
# Routes of the configuration file: which of them takes a request, and what it lays down for it: a limit, a deadline, a
# pool, a class.

import contextlib
import json
import threading

import pytest

from admission import pool
from polling import PATIENCE_SECONDS, eventually
from upstream import answer
from wire import request

NO_BODY = ["Content-Length: 0"]


class Named:
    """An endpoint that answers with its name; to what has the query `hold` only once it may."""

    def __init__(self, name):
        self.name, self.may_answer = name.encode(), threading.Semaphore(0)

    def __call__(self, peer):
        while True:
            if peer.request().target.endswith("?hold"):
                assert self.may_answer.acquire(timeout=PATIENCE_SECONDS), "the test never came to its point"
            peer.send(answer(self.name))


@pytest.fixture
def routes(routed, upstream):
    """Starts a gateway with routes to endpoints that answer with their names; gives their scripts and them as well."""

    def start(text, *names, **settings):
        scripts = {name: Named(name) for name in names or ("a",)}
        endpoints = {name: upstream(script) for name, script in scripts.items()}
        return routed(text.strip("\n").split("\n"), endpoints, **settings), scripts, endpoints

    return start


@pytest.fixture
def asking():
    """Sends a request on a connection of its own, whose answer is read later."""
    with contextlib.ExitStack() as stack:

        def send(server, target, **options):
            wire = stack.enter_context(server.connect())
            wire.send(request(target, **options))
            return wire

        yield send


def outcome(reply):
    """The status, and the name of who answered or the reason why nobody did."""
    is_own = reply.header("content-type") == "application/problem+json"
    return reply.status, json.loads(reply.body).get("reason") if is_own else reply.body.decode()


# Which route


MATCHES = """
  - {match: {path: /v/:id}, upstream: parameter}
  - {match: {path: /v/*rest}, upstream: rest}
  - {match: {path: /v/exact}, upstream: exact}
  - {match: {host: shop.example, path: /v/exact}, upstream: host}
  - {match: {host: "*.example", path: /v/exact}, upstream: wildcard}
  - {match: {path: [/one, /two]}, upstream: exact}
  - {match: {path: /m, methods: [POST, PUT]}, upstream: parameter}
  - {match: {path: /m, methods: DELETE}, upstream: rest}
"""
MATCHED = ["parameter", "rest", "exact", "host", "wildcard"]


@pytest.mark.parametrize("asked, expected", [
    (request("/v/exact"), (200, "exact")),
    (request("/v/exact?id=1"), (200, "exact")),
    (request("/v/other"), (200, "parameter")),
    (request("/v/other/deeper"), (200, "rest")),
    (request("/v/exact", host="shop.example"), (200, "host")),
    (request("/v/exact", host="SHOP.example:80"), (200, "host")),
    (request("/v/exact", host="a.b.example"), (200, "wildcard")),
    (request("/v/exact", host="example"), (200, "exact")),
    (request("/one"), (200, "exact")),
    (request("/two"), (200, "exact")),
    (request("/three"), (404, None)),
    (request("/m", "POST", NO_BODY), (200, "parameter")),
    (request("/m", "PUT", NO_BODY), (200, "parameter")),
    (request("/m", "DELETE"), (200, "rest")),
    (request("/m"), (405, None)),
])  # fmt: skip
def test_the_more_exact_route_takes_a_request(routes, asked, expected):
    server, _, _ = routes(MATCHES, *MATCHED)
    with server.connect() as wire:
        wire.send(asked)
        reply = wire.reply()
        assert outcome(reply) == expected
        if reply.status == 405:
            assert set(reply.header("allow").split(", ")) == {"POST", "PUT", "DELETE", "OPTIONS"}


CONDITIONS = """
  - {match: {path: /h, headers: {x-v: "2"}}, upstream: exact}
  - {match: {path: /h, headers: {X-V: {prefix: "3."}}}, upstream: prefix}
  - {match: {path: /h, headers: {x-beta: {present: true}, x-v: {present: false}}}, upstream: both}
  - {match: {path: /h}, upstream: any}
  - {match: {path: /only, methods: GET, headers: {x-v: {exact: "2"}}}, upstream: exact}
  - {match: {path: /only, methods: POST}, upstream: any}
"""


@pytest.mark.parametrize("lines, served", [
    ([], "any"),
    (["X-V: 2"], "exact"), (["x-v:   2  "], "exact"), (["X-V: 22"], "any"), (["X-V: "], "any"),
    (["X-V: 2", "X-V: 3.1"], "exact"), (["X-V: 1", "X-V: 2"], "any"), (["X-V: 2, 3.1"], "any"),
    (["X-V: 3."], "prefix"), (["X-V: 3.1"], "prefix"), (["X-V: 3"], "any"), (["X-V:  13.1"], "any"),
    (["X-Beta: on"], "both"), (["X-Beta: "], "both"), (["X-Beta: on", "X-V: 1"], "any"),
    (["X-Beta: on", "X-V: 2"], "exact"), (["X-V-: 2"], "any"), (["X-: 2", "X-Betas: on"], "any"),
])  # fmt: skip
def test_the_first_route_whose_header_conditions_hold_takes_a_request(routes, lines, served):
    server, _, _ = routes(CONDITIONS, "exact", "prefix", "both", "any")
    with server.connect() as wire:
        # A head that comes again is not read again.
        assert [outcome(wire.get("/h", headers=lines)) for _ in range(2)] == [(200, served)] * 2


def test_without_the_header_there_is_no_route_and_other_methods_are_not_concerned(routes):
    server, _, _ = routes(CONDITIONS, "exact", "prefix", "both", "any")
    with server.connect() as wire:
        assert outcome(wire.get("/only", headers=["X-V: 2"])) == (200, "exact")
        assert outcome(wire.get("/only")) == (404, None)
        assert outcome(wire.get("/only", method="POST", headers=NO_BODY)) == (200, "any")


# Its limits


def test_a_route_has_limits_of_its_own_for_all_of_its_paths(routes):
    server, _, endpoints = routes("""
  - {match: {path: [/one, /two]}, upstream: a, limit: 3/h}
  - {match: {path: /other}, upstream: a, limit: 3/h}
  - {match: {path: /free}, upstream: a}
""")
    with server.connect() as wire:
        assert [wire.get(target).status for target in ("/one", "/two", "/one")] == [200] * 3
        assert [outcome(wire.get(target)) for target in ("/one", "/two")] == [(429, "rate_limited")] * 2
        assert [wire.get(target).status for target in ("/other", "/free", "/free", "/free", "/free")] == [200] * 5
    assert len(endpoints["a"].requests) == 8
    assert server.metric('weir_rejected_total{reason="rate_limited"}') == 2


def test_a_route_s_limits_hold_together_and_beside_that_of_all(routes):
    server, _, _ = routes("""
  - match: {path: /tenants/:tenant}
    upstream: a
    limit: [{rate: 2/h, by: "param:tenant", name: tenant}, {rate: 3/h, by: "header:x-key", name: key}]
  - {match: {path: /free}, upstream: a}
""", WEIR_RATE_LIMIT="6/h;name=all")  # fmt: skip
    with server.connect() as wire:

        def ask(target, key="k"):
            reply = wire.get(target, headers=[f"X-Key: {key}"])
            if reply.status != 429:
                return reply.status
            return json.loads(reply.body)["violated-policies"]

        assert [ask("/tenants/1") for _ in range(3)] == [200, 200, ["tenant"]]
        # What is refused is charged nowhere, so one more of the key and four of all are left.
        assert [ask("/tenants/2") for _ in range(2)] == [200, ["key"]]
        assert [ask("/tenants/2", "other") for _ in range(2)] == [200, ["tenant"]]
        assert [ask("/free") for _ in range(3)] == [200, 200, ["all"]]


# Its deadline


def test_a_route_has_a_deadline_of_its_own(routes, asking):
    server, scripts, endpoints = routes("""
  - {match: {path: /short}, upstream: a, deadline: 200ms}
  - {match: {path: /long}, upstream: a}
""")
    patient = asking(server, "/long?hold")
    endpoints["a"].wait_for_requests(1)
    assert outcome(asking(server, "/short?hold").reply()) == (504, "deadline_exceeded")
    for _ in range(2):
        scripts["a"].may_answer.release()
    assert outcome(patient.reply()) == (200, "a")


# Where it runs


POOLS = """
  - {match: {path: /one}, upstream: a, pool: shared}
  - {match: {path: /two}, upstream: a, pool: shared}
  - {match: {path: [/own, /own/:id]}, upstream: a, concurrency: 1, queue: 0}
  - {match: {path: /none}, upstream: a, pool: none}
  - {match: {path: /pod}, upstream: a, pool: pod}
  - {match: {path: /default}, upstream: a}
pools:
  shared: {concurrency: 1, queue: 0}
"""
POOLED = {"shared": {"/one", "/two"}, "/own": {"/own", "/own/1"}, "pod": {"/pod", "/default"}, "none": {"/none"}}


@pytest.mark.parametrize("name", POOLED)
def test_a_full_pool_turns_its_own_requests_away_and_no_others(routes, asking, name):
    server, scripts, endpoints = routes(POOLS, WEIR_CONCURRENCY=1, WEIR_QUEUE=0)
    holder = asking(server, f"{min(POOLED[name])}?hold")
    endpoints["a"].wait_for_requests(1)
    if name != "none":
        assert (pool(server, "requests_executing", name), pool(server, "concurrency_limit", name)) == (1, 1)
    for target in sorted(set.union(*POOLED.values())):
        is_full = target in POOLED[name] and name != "none"
        assert outcome(asking(server, target).reply()) == ((503, "queue_full") if is_full else (200, "a")), target
    scripts["a"].may_answer.release()
    assert outcome(holder.reply()) == (200, "a")


# Its class


CLASSES = """
  - {match: {path: /first}, upstream: a, pool: p}
  - {match: {path: /sheddable}, upstream: a, pool: p, priority: sheddable}
  - {match: {path: /default}, upstream: a, pool: p}
  - {match: {path: /critical}, upstream: a, pool: p, priority: critical}
pools:
  p: {concurrency: 1, queue: 3}
"""


def test_who_is_of_a_higher_class_goes_first_and_stays_where_the_queue_is_full(routes, asking):
    server, scripts, endpoints = routes(CLASSES)
    holder = asking(server, "/first?hold")
    endpoints["a"].wait_for_requests(1)
    waiting = {}
    for count, target in enumerate(["/sheddable", "/default", "/critical"], 1):
        waiting[target] = asking(server, target)
        eventually(lambda: pool(server, "requests_queued", "p") == count, f"{count} wait")
    # The fourth that would wait: of the lowest class it is turned away, else it takes the place of one of that.
    assert outcome(asking(server, "/sheddable").reply()) == (503, "queue_full")
    late = asking(server, "/critical")
    assert outcome(waiting.pop("/sheddable").reply()) == (503, "queue_full")
    scripts["a"].may_answer.release()
    for wire in (holder, late, *waiting.values()):
        assert outcome(wire.reply()) == (200, "a")
    assert endpoints["a"].targets == ["/first?hold", "/critical", "/critical", "/default"]
