# SPDX-License-Identifier: Apache-2.0
# Reloads of the configuration file while requests flow: nothing fails, nothing is lost, a wrong file changes nothing.

import contextlib
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from polling import eventually
from reloads import File, one_route, reload
from test_proxy_memory import resident
from upstream import answer
from wire import request

RELOADS = 1000
# What the allocator may still take between the first reloads and the last.
GROWTH_MAX = 6 << 20


@pytest.fixture
def file(tmp_path):
    return File(tmp_path)


def entries(server, level):
    return [entry for entry in map(json.loads, server.log) if entry["level"] == level]


def get(server, path="/"):
    with server.connect() as wire:
        wire.send(request(path))
        return wire.reply()


# What is applied

def test_1000_reloads_under_load_fail_no_request_and_memory_stays_flat(file, gateway_of, weir):
    endpoints = [weir("demo", WEIR_LOOPS=1, WEIR_KEEPALIVE_REQUESTS=10**9).url for _ in range(3)]

    def text(turn):
        chosen = [endpoints[(turn + index) % 3] for index in range(1 + turn % 2)]
        return f"""
            deadline: {5 + turn % 7}s
            concurrency: {64 + turn % 5}
            loops: {3 + turn % 2}
            log-level: {"error" if turn else "info"}
            upstreams:
              stays: {{endpoints: [{", ".join(chosen)}], connections: {100 + turn % 3}}}
              u{turn % 50}: {{endpoints: [{endpoints[0]}]}}
            pools:
              p{turn % 4}: {{concurrency: {50 + turn % 3}}}
            routes:
              - match: {{path: /hello}}
                upstream: {"stays" if turn % 3 else f"u{turn % 50}"}
                limit: [{{rate: {10**6 + turn % 5}/s, by: client}}, {{rate: {10**6}/s, name: n{turn % 9}, by: host}}]
                pool: p{turn % 4}
              - match: {{path: /turn{turn % 40}}}
                redirect: {{to: /hello}}
        """

    server = gateway_of(file, text(0), WEIR_KEEPALIVE_REQUESTS=10**9)
    load = subprocess.Popen(
        ["wrk", "-t1", "-c16", "-d120s", server.url + "/hello"], stdout=subprocess.PIPE, text=True
    )
    try:
        admin = server.admin_connection()
        sizes = {}
        for turn in range(1, RELOADS + 1):
            file.write(text(turn))
            status, outcome = reload(server, admin)
            assert status == 200, outcome
            if turn % 10 == 0:
                sizes[turn] = resident(server)
    finally:
        load.send_signal(signal.SIGINT)
        report, _ = load.communicate(timeout=20)
    assert load.returncode == 0, report
    assert int(re.search(r"(\d+) requests in", report)[1]) > 1000, report
    assert "Non-2xx" not in report and "Socket errors" not in report, report
    metrics = server.metrics(admin)
    # The watch may have been there first for some of them.
    assert metrics['weir_reloads_total{outcome="applied"}'] >= RELOADS
    assert metrics['weir_reloads_total{outcome="rejected"}'] == 0
    # It goes up and down by what is freed late: the least of a while is what is held.
    early, late = (min(sizes[turn] for turn in range(last - 100, last, 10)) for last in (200, RELOADS))
    assert late - early < GROWTH_MAX, sizes


@pytest.mark.release
def test_a_reload_lets_go_of_the_limits_that_were_there_before(file, gateway_of, upstream):
    endpoint = upstream()
    turns, table = 8, 16 << 20

    def text(turn):
        return one_route(endpoint, f", limit: [{{rate: {1000 + turn}/s, by: client}}]")

    server = gateway_of(file, text(0), WEIR_LOOPS=1, WEIR_RATE_LIMIT_TABLE=table)
    before = resident(server)
    for turn in range(turns):
        # Fewer at a time in each turn, so that what the loop keeps of a request for the next is of every turn.
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(server.connect()) for _ in range(3 * (turns - turn))]
            for wire in wires:
                wire.send(request("/", "POST", ["Content-Length: 2"], b"a"))
            eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == len(wires), "all are there")
            for wire in wires:
                wire.send(b"b")
                assert wire.reply().status == 200
        file.write(text(turn + 1))
        assert reload(server)[0] == 200
    # Those of the last, and of the one before, which may just be going.
    eventually(lambda: resident(server) - before < 3 * table, f"{turns} tables are not kept")


def test_a_file_change_is_applied_and_an_endpoint_that_stays_keeps_its_connection(file, gateway_of, upstream):
    stays, comes = upstream(), upstream()
    server = gateway_of(file, one_route(stays), WEIR_LOOPS=1)
    assert get(server).status == 200
    count = len(stays.connections)
    file.write(
        f"upstreams: {{a: {{endpoints: [{stays.url}, {comes.url}]}}}}\nroutes: [{{upstream: a, deadline: 3s}}]\n"
    )
    server.wait_for_line("the configuration is reloaded")
    for _ in range(8):
        assert get(server).status == 200
    assert comes.requests and stays.requests
    assert len(stays.connections) == count


def test_the_data_link_of_a_mounted_config_map_is_followed(tmp_path, gateway_of, upstream):
    one, two = upstream(), upstream()

    def publish(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weir.yaml").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(name)
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")

    class Mounted:
        path = tmp_path / "weir.yaml"

        @staticmethod
        def write(text):
            publish("..2026_01", text)
            Mounted.path.symlink_to("..data/weir.yaml")

    server = gateway_of(Mounted, one_route(one))
    assert get(server).status == 200 and not two.requests
    publish("..2026_02", one_route(two))
    server.wait_for_line("the configuration is reloaded")
    before = len(one.requests)
    assert get(server).status == 200
    assert len(two.requests) == 1 and len(one.requests) == before


def test_sighup_reloads(file, gateway_of, upstream):
    server = gateway_of(file, one_route(upstream()))
    server.signal(signal.SIGHUP)
    server.wait_for_line("the configuration is as it was")
    assert server.metric('weir_reloads_total{outcome="unchanged"}') == 1


def test_a_request_that_has_begun_keeps_its_route(file, gateway_of, upstream):
    gate = threading.Event()

    def slow(peer):
        peer.request()
        peer.wait(gate)
        peer.send(answer(b"of the old"))

    old, new = upstream(slow), upstream()
    pooled = "pools: {p: {concurrency: 1, queue: 0}}\n"
    server = gateway_of(file, pooled + one_route(old, ", pool: p"))
    with server.connect() as wire:
        wire.send(request("/"))
        old.wait_for_requests(1)
        file.write(one_route(new).replace("a:", "b:").replace("upstream: a", "upstream: b"))
        assert reload(server)[0] == 200
        assert get(server).status == 200 and len(new.requests) == 1
        # Its pool is seen until it has left it.
        assert server.metric('weir_requests_executing{pool="p"}') == 1
        gate.set()
        response = wire.reply()
        assert (response.status, response.body) == (200, b"of the old")
    eventually(lambda: 'weir_requests_executing{pool="p"}' not in server.metrics(), "the pool is gone")


def test_rate_limits_are_not_refilled(file, gateway_of, upstream):
    endpoint = upstream()
    server = gateway_of(file, one_route(endpoint, ", limit: [{rate: 4/h, by: client}]"))
    assert [get(server).status for _ in range(3)] == [200] * 3
    for turn in range(5):
        file.write(one_route(endpoint, f", deadline: {1 + turn}s, limit: [{{rate: 4/h, by: client}}]"))
        assert reload(server)[0] == 200
    assert [get(server).status for _ in range(2)] == [200, 429]
    # A greater one fills from what was left.
    file.write(one_route(endpoint, ", limit: [{rate: 40/h, by: client}]"))
    assert reload(server)[0] == 200
    assert get(server).status == 429


def test_a_weight_is_shown_as_it_is_now(file, gateway_of, upstream):
    endpoint = upstream()

    def text(weight):
        return one_route(endpoint).replace(f"[{endpoint.url}]", f"[{{url: {endpoint.url}, weight: {weight}}}]")

    def shown():
        (page,) = json.loads(server.ask_admin("/upstreams")[1])["upstreams"]
        return [(one["url"], one["weight"]) for one in page["endpoints"]]

    server = gateway_of(file, text(3))
    assert shown() == [(endpoint.url, 3)]
    file.write(text(7))
    assert reload(server)[0] == 200
    assert shown() == [(endpoint.url, 7)]


def test_settings_that_wait_for_a_restart_are_named_and_shown(file, gateway_of, upstream):
    endpoint = upstream()
    server = gateway_of(file, "drain: {timeout: 3s}\n" + one_route(endpoint), WEIR_DRAIN_TIMEOUT=None)
    file.write("drain: {timeout: 4s}\nlog-level: warning\ndeadline: 2s\n" + one_route(endpoint))
    status, outcome = reload(server)
    assert status == 200 and outcome["after_restart"] == ["WEIR_DRAIN_TIMEOUT"]
    # Routes without a deadline of their own have another one.
    assert outcome["changed"] == ["WEIR_DEADLINE", "WEIR_LOG_LEVEL", "routes"]
    server.wait_for_line("settings wait for a restart")
    assert [entry["settings"] for entry in entries(server, "warning")] == ["WEIR_DRAIN_TIMEOUT"]
    rows = {row["name"]: row for row in json.loads(server.ask_admin("/config")[1])["settings"]}
    assert (rows["WEIR_DRAIN_TIMEOUT"]["value"], rows["WEIR_DRAIN_TIMEOUT"]["after_restart"]) == ("3s", "4s")
    assert rows["WEIR_DEADLINE"]["value"] == "2s" and "after_restart" not in rows["WEIR_DEADLINE"]
    # The level is in force: a reload that finds nothing is not logged.
    assert reload(server)[0] == 200
    assert "the configuration is as it was" not in server.messages


def test_a_gateway_in_front_of_its_demo_takes_the_routes_of_a_file(file, gateway_of, upstream):
    endpoint = upstream()
    server = gateway_of(file, "deadline: 5s\n")
    assert get(server, "/hello").status == 200
    file.write(one_route(endpoint))
    assert reload(server)[0] == 200
    assert get(server, "/hello").body == b"ok"
    file.write("deadline: 6s\n")
    assert reload(server)[0] == 200
    assert get(server, "/hello").body != b"ok"


# What is refused

@pytest.mark.parametrize("text, place", [
    ("", "1:1: the file is empty; expected a mapping"),
    ("# x\n", "1:1: the file is empty; expected a mapping"),
    ("routes: [", "2:1: "),
    ("{", "2:1: "),
    ("\tx: 1\n", "1:1: "),
    ("- 1\n", "1:1: expected a mapping"),
    ("deadlin: 2s\n", "1:1: deadlin: not a setting; did you mean deadline?"),
    ("deadline: 2\n", '1:11: deadline: "2": expected a duration'),
    ("deadline: 2s\ndeadline: 3s\n", "2:1: "),
    ("memory: {shed: 90, critical: 80}\n", "1:30: memory.critical: "),
    ("upstreams: {a: {endpoints: [http://x], ballance: first}}\n", "1:40: upstreams.a.ballance: "),
    ("upstreams: {a: {endpoints: [x]}}\n", "1:29: upstreams.a.endpoints[0]: "),
    ("routes: [{upstream: b}]\n", '1:21: routes[0].upstream: "b"'),
    ("upstreams: {a: {endpoints: [http://x]}}\nroutes: [{upstream: a, pool: q}]\n", "2:30: routes[0].pool: "),
    ("upstreams: {a: {endpoints: [http://x]}}\nroutes: [{upstream: a}, {upstream: a}]\n", "2:25: routes[1]"),
    ("deadline: \xff\n".encode("latin-1"), ""),
    (b"a" * (5 << 20), ""),
    (None, "WEIR_CONFIG="),
], ids=range(18))
def test_a_wrong_file_changes_nothing_and_is_one_line(file, gateway_of, upstream, text, place):
    endpoint = upstream()
    server = gateway_of(file, one_route(endpoint, ", limit: [{rate: 3/h}]"), WEIR_LOOPS=1)
    assert get(server).status == 200
    before = server.ask_admin("/config")[1]
    file.path.unlink()
    if text is not None:
        file.path.write_bytes(text if isinstance(text, bytes) else text.encode())
    status, line = reload(server)
    assert status == 422 and line.count("\n") == 1
    if place.startswith("WEIR_CONFIG"):
        assert line.startswith(f'WEIR_CONFIG="{file.path}": the file cannot be read: ')
    else:
        assert line.startswith(f"{file.path}:{place}"), line
    server.wait_for_line("the configuration is refused")
    errors = entries(server, "error")
    assert {entry["error"] for entry in errors} == {line.rstrip("\n")}
    metrics = server.metrics()
    assert metrics["weir_configuration_rejected"] == 1
    assert metrics['weir_reloads_total{outcome="applied"}'] == 0
    page = json.loads(server.ask_admin("/config")[1])
    assert page.pop("rejected") == line.rstrip("\n")
    # What is used of the memory is another figure each time.
    assert {**page, "budget": None} == {**json.loads(before), "budget": None}
    assert [get(server).status for _ in range(3)] == [200, 200, 429]
    # Right again, it is in force, and nothing was counted anew.
    file.write(one_route(endpoint, ", deadline: 2s, limit: [{rate: 3/h}]"))
    assert reload(server)[0] == 200
    assert server.metric("weir_configuration_rejected") == 0
    assert get(server).status == 429


def test_get_changes_nothing_and_there_is_no_reload_without_a_file(file, gateway_of, upstream, gateway):
    server = gateway_of(file, one_route(upstream()))
    assert server.ask_admin("/reload")[0] == 405
    assert server.metric('weir_reloads_total{outcome="unchanged"}') == 0
    other = gateway(upstream())
    assert other.ask_admin("/reload", method="POST")[0] == 404
    assert "weir_configuration_rejected" not in other.metrics()


def test_a_limit_that_holds_for_no_route_is_said_at_the_start_and_at_each_reload(tmp_path, gateway_of, upstream):
    file, endpoint = File(tmp_path), upstream()

    def text(parameter):
        route = f"{{upstream: a, match: {{path: '/x/:{parameter}'}}}}"
        return f"upstreams: {{a: {{endpoints: ['{endpoint.url}']}}}}\nroutes: [{route}]\n"

    server = gateway_of(file, text("name"), WEIR_RATE_LIMIT="9/s,5/s;by=param:id")

    def warnings():
        return [json.loads(line) for line in server.log if "holds for no request" in line]

    eventually(lambda: len(warnings()) == 1, "it is said at the start")
    for parameter, count in [("id", 1), ("key", 2)]:
        file.write(text(parameter))
        assert reload(server)[0] == 200
        eventually(lambda: len(warnings()) == count, f"{count} lines say so")
    for line in warnings():
        assert (line["level"], line["limit"], line["parameter"]) == ("warning", "5/s;by=param:id", "id")
