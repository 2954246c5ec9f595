# SPDX-License-Identifier: Apache-2.0
# Traffic tags: a request field whose value selects an upstream, is passed on, logged and counted.

import pytest

from polling import eventually
from test_proxy_log import entries
from upstream import answer, repeating
from wire import request

TAGS = "tags: {header: X-Track, upstreams: {canary: b, '2': c, stable: a}}"
SERIES = 'weir_tagged_requests_total{http_route="%s",tag="%s"}'


def named(name):
    return repeating(answer(name.encode()))


def all_counted(server, count):
    """The series of tags, once they come to so many requests."""
    counts = {name: value for name, value in server.metrics().items() if name.startswith("weir_tagged_requests_total")}
    return counts if sum(counts.values()) == count else None


@pytest.fixture
def tagged(routed, upstream):
    """A gateway whose route goes to `a`, and by its tags elsewhere; and the three endpoints."""

    def start(fields="upstream: a", **settings):
        endpoints = {name: upstream(named(name)) for name in "abc"}
        return routed([f"  - {{{fields}, {TAGS}}}"], endpoints, **settings), endpoints

    return start


@pytest.mark.parametrize("lines, served", [
    ([], "a"), (["X-Track: canary"], "b"), (["x-track:   canary  "], "b"), (["X-TRACK: 2"], "c"), (["X-Track: stable"], "a"),
    (["X-Track: Canary"], "a"), (["X-Track: canaries"], "a"), (["X-Track: canar"], "a"), (["X-Track: "], "a"),
    (["X-Track: canary,2"], "a"), (["X-Track: 2", "X-Track: canary"], "c"), (["X-Track: other", "X-Track: 2"], "a"),
    (["X-Tracks: canary"], "a"),
])
def test_a_value_selects_an_upstream_and_goes_on(tagged, lines, served):
    server, endpoints = tagged()
    with server.connect() as wire:
        # A head that comes again is not read again.
        assert [wire.get("/", headers=lines).body for _ in range(2)] == [served.encode()] * 2
    values = [line.split(":")[1].strip() for line in lines if line.lower().startswith("x-track:")]
    seen = [[value.strip() for value in one.values("x-track")] for one in endpoints[served].requests]
    assert seen == [values] * 2


@pytest.mark.parametrize("option, served", [("X-Track", "a"), ("keep-alive, x-TRACK", "a"), ("X-Trac", "b")])
def test_a_field_that_does_not_go_on_selects_nothing(tagged, option, served):
    server, endpoints = tagged()
    with server.connect() as wire:
        lines = [f"Connection: {option}", "X-Track: canary"]
        assert [wire.get("/", headers=lines).body for _ in range(2)] == [served.encode()] * 2
    assert {seen.header("x-track") for seen in endpoints[served].requests} == {"canary" if served == "b" else None}


def test_requests_of_one_connection_are_told_apart(tagged):
    server, _ = tagged()
    with server.connect() as wire:
        order = [("canary", b"b"), (None, b"a"), ("2", b"c"), ("none", b"a"), ("canary", b"b")]
        for value, body in order:
            assert wire.get("/", headers=[f"X-Track: {value}"] if value else []).body == body


def test_a_tag_goes_before_the_split(tagged):
    server, _ = tagged("split: [{upstream: a, weight: 1}, {upstream: b, weight: 1}]")
    with server.connect() as wire:
        assert {wire.get("/", headers=["X-Track: 2"]).body for _ in range(20)} == {b"c"}
        assert {wire.get("/").body for _ in range(60)} == {b"a", b"b"}


def test_tags_are_logged_also_of_refusals(tagged, tmp_path):
    log = tmp_path / "access.log"
    server, endpoints = tagged("upstream: a, limit: 3/h", WEIR_ACCESS_LOG=log)
    with server.connect() as wire:
        values = ["canary", "else", "stable", "2"]
        assert [wire.get("/", headers=[f"X-Track: {value}"]).status for value in values] == [200, 200, 200, 429]
    lines = entries(log, 4)
    assert [line.get("tag") for line in lines] == ["canary", None, "stable", "2"]
    assert [line.get("endpoint") for line in lines] == [endpoints[name].url for name in "baa"] + [None]


def test_only_tags_of_the_file_are_counted_by_name(tagged):
    server, _ = tagged("match: {path: '/v1/*rest'}, upstream: a")
    with server.connect() as wire:
        for value in ["canary", "canary", *(f"random-{number}" for number in range(50)), "2"]:
            assert wire.get("/v1/x", headers=[f"X-Track: {value}"]).status == 200
        assert wire.get("/other", headers=["X-Track: canary"]).status == 404

    counts = eventually(lambda: all_counted(server, 53), "all requests are counted")
    assert counts == {SERIES % ("/v1/*rest", tag): count for tag, count in [("canary", 2), ("none", 50), ("2", 1)]}


def test_a_route_without_tags_has_no_series(routed, upstream):
    server = routed(["  - {upstream: a}"], {"a": upstream()})
    with server.connect() as wire:
        wire.send(request("/", headers=["X-Track: canary"]))
        assert wire.reply().status == 200
    assert all_counted(server, 0) == {}
