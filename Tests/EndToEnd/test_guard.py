# SPDX-License-Identifier: Apache-2.0
# The live guard: an endpoint becomes slow, its route has what the file says instead, and has it back when the endpoint is
# well again. And the baselines that it goes by: learnt, kept in a file, shown and compared.

import contextlib
import json
import threading
import time

import pytest
import yaml

from polling import eventually
from server import run_gateway
from upstream import answer

CLIENTS = 8
ROUTE = "* /*path"
DEGRADED = f'weir_guard_degraded{{route="{ROUTE}"}}'
LEARNING = f'weir_guard_learning{{route="{ROUTE}"}}'
# A machine that is busy with other tests has its hiccups; what is slow here is far beyond them.
USUAL_SECONDS = 0.02
SLOW_SECONDS = 0.15
PATIENCE_SECONDS = 60


class Endpoint:
    """A script that answers at once, or slowly while `is_slow`. Of bodies it reads nothing until `reads`."""

    def __init__(self, name):
        self.name = name.encode()
        self.is_slow = threading.Event()
        self.reads = threading.Event()

    def __call__(self, peer):
        while True:
            request = peer.head()
            if request.header("content-length"):
                peer.wait(self.reads)
            peer.body(request)
            if self.is_slow.is_set():
                time.sleep(SLOW_SECONDS)
            peer.send(answer(self.name))


class Load:
    """Clients that ask one request after the other, and what the last thousand answers were."""

    def __init__(self, server, headers):
        self.headers = headers
        self.server = server
        self.answers = []
        self.failures = []
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        try:
            while not self.ends.is_set():
                self.ask()
        except Exception as error:
            self.failures.append(error)

    def ask(self):
        with self.server.connect() as wire:
            while not self.ends.is_set():
                wire.send(b"GET /x HTTP/1.1\r\nHost: test\r\n" + self.headers + b"\r\n")
                reply = wire.reply()
                self.answers.append((reply.status, reply.body))
                if reply.closes:
                    return

    def wait_until(self, condition, what):
        """Until the answers that come from now on are so."""
        start = len(self.answers)

        def holds():
            assert not self.failures, self.failures
            return condition(self.answers[start:])

        eventually(holds, what, PATIENCE_SECONDS)

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures


@contextlib.contextmanager
def load(server, headers=b""):
    running = Load(server, headers)
    try:
        yield running
    finally:
        running.stop()


def baseline(version, seconds=USUAL_SECONDS, routes=(ROUTE,)):
    route = {"latency_p50_seconds": seconds / 2, "latency_p95_seconds": seconds, "queue_p95_seconds": 0}
    return {"format": 1, "version": version, "routes": {name: route for name in routes}, "upstreams": {}}


@pytest.fixture
def folder(tmp_path):
    """A folder with the baseline of one version."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    (folder / "1.0.json").write_text(json.dumps(baseline("1.0")))
    return folder


@pytest.fixture
def guarded(gateway, upstream, tmp_path, folder):
    """Starts a gateway whose one route has a guard; gives it and its two endpoints."""

    def start(then, version="1.0", window="1s", route=None, pools=None, factor=2.5, **settings):
        endpoints = [Endpoint("a"), Endpoint("b")]
        upstreams = {one.name.decode(): {"endpoints": [upstream(one).url]} for one in endpoints}
        guard = {"window": window, "windows": 2, "factor": factor, "then": then}
        routes = [{"match": {"path": "/*path"}, "upstream": "a", "guard": guard, **(route or {})}]
        file = tmp_path / "weir.yaml"
        file.write_text(yaml.safe_dump({"upstreams": upstreams, "pools": pools or {}, "routes": routes}))
        kept = {"WEIR_BASELINE": folder, "WEIR_BASELINE_VERSION": version}
        server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file, **{**kept, **settings})
        return server, *endpoints

    return start


def wait_for(server, metric, value):
    eventually(lambda: server.metric(metric) == value, f"{metric} is {value}", PATIENCE_SECONDS)


def lines(server, text):
    return [json.loads(line) for line in server.log if text in line]


def test_a_slow_route_has_another_upstream_until_its_own_is_well_again(guarded):
    server, own, other = guarded({"upstream": "b"})
    assert server.metric(LEARNING) == 0
    with load(server) as running:
        running.wait_until(lambda seen: len(seen) > 100, "requests flow")
        assert {body for _, body in running.answers} == {b"a"}
        own.is_slow.set()
        wait_for(server, DEGRADED, 1)
        running.wait_until(lambda seen: (200, b"b") in seen, "requests go to the other upstream")
        page = json.loads(server.ask_admin("/guard")[1])["routes"][0]
        assert (page["route"], page["state"]) == (ROUTE, "degraded")
        own.is_slow.clear()
        wait_for(server, DEGRADED, 0)
        running.wait_until(
            lambda seen: len(seen) > 200 and {body for _, body in seen[-100:]} == {b"a"}, "all requests are back"
        )
        assert {status for status, _ in running.answers} == {200}
    (begun,) = lines(server, "is degraded")
    assert (begun["level"], begun["signal"]) == ("warning", "latency") and float(begun["ratio"]) > 2.5
    assert len(lines(server, "is no longer degraded")) == 1
    assert server.metric(f'weir_guard_degradations_total{{route="{ROUTE}"}}') == 1


def test_a_slow_route_turns_sheddable_requests_away_until_it_is_well_again(guarded):
    server, own, _ = guarded({"shed": True}, route={"priority": "sheddable"})
    with load(server) as running:
        own.is_slow.set()
        running.wait_until(lambda seen: 503 in {status for status, _ in seen}, "requests are turned away")
        problem = json.loads(next(body for status, body in running.answers if status == 503))
        assert problem["reason"] == "degraded"
        own.is_slow.clear()
        wait_for(server, DEGRADED, 0)
        running.wait_until(
            lambda seen: len(seen) > 200 and {status for status, _ in seen[-100:]} == {200}, "nobody is turned away"
        )
    refused = sum(status == 503 for status, _ in running.answers)
    assert server.metric('weir_rejected_total{reason="degraded"}') == refused


def test_requests_of_another_class_are_served_by_a_route_that_sheds(guarded):
    server, own, _ = guarded({"shed": True})
    with load(server) as running:
        own.is_slow.set()
        wait_for(server, DEGRADED, 1)
        running.wait_until(lambda seen: len(seen) > 50, "requests flow")
        assert {status for status, _ in running.answers} == {200}


def test_a_slow_route_has_a_shorter_deadline(guarded):
    server, own, _ = guarded({"deadline": "50ms"})
    with load(server) as running:
        own.is_slow.set()
        running.wait_until(lambda seen: 504 in {status for status, _ in seen}, "requests end at the shorter deadline")
        # The share that is served as ever has its own.
        running.wait_until(lambda seen: {status for status, _ in seen} == {200, 504}, "some have the whole deadline")


def test_what_is_usual_is_learnt_and_kept_for_the_next_start(guarded, folder):
    server, own, _ = guarded({"upstream": "b"}, version="2.0", window="250ms")
    assert server.metric(LEARNING) == 1
    with load(server):
        wait_for(server, LEARNING, 0)
    server.stop()
    learnt = json.loads((folder / "2.0.json").read_text())
    assert (learnt["format"], learnt["version"], list(learnt["routes"])) == (1, "2.0", [ROUTE])
    assert sorted(path.name for path in folder.iterdir()) == ["1.0.json", "2.0.json"]
    server, _, _ = guarded({"upstream": "b"}, version="2.0")
    assert server.metric(LEARNING) == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "version": "1.0", "routes": {}, "upstreams": {}}'])
def test_a_baseline_that_cannot_be_read_is_one_line_and_is_learnt_anew(guarded, folder, text):
    (folder / "1.0.json").write_text(text)
    server, _, _ = guarded({"upstream": "b"})
    assert server.metric(LEARNING) == 1
    (line,) = lines(server, "the baseline cannot be used and is learnt anew")
    assert line["level"] == "warning" and f"{folder}/1.0.json" in line["error"]


def test_a_folder_that_is_not_there_is_one_line(guarded, folder):
    server, _, _ = guarded({"upstream": "b"}, window="250ms", WEIR_BASELINE=folder / "none")
    with load(server):
        wait_for(server, LEARNING, 0)
    server.stop()
    (line,) = lines(server, "the baseline cannot be written")
    assert line["level"] == "warning"


def test_baselines_are_shown_and_compared(folder):
    (folder / "1.1.json").write_text(json.dumps(baseline("1.1", 0.1, [ROUTE, "* /new"])))
    assert run_gateway("baseline", WEIR_BASELINE=folder) == (0, "1.0\n1.1\n", [])
    assert json.loads(run_gateway("baseline", "--json", "--folder", folder)[1]) == {"versions": ["1.0", "1.1"]}
    code, output, errors = run_gateway("baseline", "1.0", WEIR_BASELINE=folder)
    assert (code, errors) == (0, [])
    assert f"route {ROUTE} latency p95  20.0ms" in output
    assert json.loads(run_gateway("baseline", "1.0", "--json", WEIR_BASELINE=folder)[1]) == baseline("1.0")
    code, output, errors = run_gateway("baseline", "1.0", "1.1", WEIR_BASELINE=folder)
    assert (code, errors) == (0, [])
    (row,) = [line.split() for line in output.splitlines() if line.startswith(f"route {ROUTE} latency p95")]
    assert row[-4:] == ["20.0ms", "100.0ms", "5.0", "worse"]
    rows = json.loads(run_gateway("baseline", "1.0", "1.1", "--json", WEIR_BASELINE=folder)[1])["values"]
    assert {row["verdict"] for row in rows if "/new" in row["name"]} == {"added"}


@pytest.mark.parametrize(
    "arguments, code, part",
    [
        ([], 64, "WEIR_BASELINE"),
        (["1", "2", "3", "--folder", "."], 64, "two versions"),
        (["--folder", "/nonexistent"], 69, "/nonexistent"),
        (["9.9", "--folder", "."], 69, "9.9"),
        (["../1", "--folder", "."], 69, "../1"),
    ],
)
def test_a_baseline_that_cannot_be_shown_is_one_line(arguments, code, part):
    result, output, errors = run_gateway("baseline", *arguments)
    assert (result, output, len(errors)) == (code, "", 1)
    assert errors[0].startswith("weir: ") and part in errors[0]


def test_time_in_queue_degrades_a_route_and_memory_is_watched(guarded, folder):
    usual = baseline("1.0", 60)
    usual["routes"][ROUTE]["queue_p95_seconds"] = 0.001
    usual["memory_growth_bytes_per_second"] = 1e12
    (folder / "1.0.json").write_text(json.dumps(usual))
    # Two at a time: the others wait, and an answer itself is far within what is usual.
    server, own, _ = guarded({"upstream": "b"}, window="3s", route={"pool": "p"}, pools={"p": {"concurrency": 2}})
    own.is_slow.set()
    with load(server):
        wait_for(server, DEGRADED, 1)
        (begun,) = eventually(lambda: lines(server, f"route {ROUTE} is degraded"), "it is said")
        assert begun["signal"] == "queue" and float(begun["value"]) >= SLOW_SECONDS / 2
        (page,) = json.loads(server.ask_admin("/guard")[1])["routes"]
        # There is a value, which no service reaches that far.
        assert page["window"]["memory"]["ratio"] < 1


@pytest.mark.release
def test_memory_that_grows_degrades_a_route_until_it_grows_no_more(guarded, folder):
    usual = baseline("1.0", 60)
    usual["routes"][ROUTE]["queue_p95_seconds"] = 60
    usual["memory_growth_bytes_per_second"] = 0
    (folder / "1.0.json").write_text(json.dumps(usual))
    server, own, _ = guarded({"upstream": "b"}, WEIR_OUTPUT_WINDOW="16MiB", WEIR_CONNECTIONS=1000)
    head = b"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
    with load(server) as running, contextlib.ExitStack() as uploads:
        # Bodies that the gateway has, and the endpoint does not take: 40 MiB a second.
        body = bytes(8 << 20)
        for _ in range(100):
            if server.metric(DEGRADED) == 1:
                break
            uploads.enter_context(server.connect()).send(head % len(body) + body)
            time.sleep(0.2)
        wait_for(server, DEGRADED, 1)
        (begun,) = eventually(lambda: lines(server, f"route {ROUTE} is degraded"), "it is said")
        assert begun["signal"] == "memory" and float(begun["value"]) > 2.5 * (1 << 20)
        running.wait_until(lambda seen: (200, b"b") in seen, "requests go to the other upstream")
        # Nothing more comes.
        wait_for(server, DEGRADED, 0)
        own.reads.set()
    eventually(lambda: len(lines(server, "is no longer degraded")) == 1, "its end is said")


def test_what_was_measured_of_the_process_is_kept_shown_and_compared(guarded, folder):
    given = {**baseline("1.0"), "memory_growth_bytes_per_second": 1e9, "cpu_steal": 1.0}
    (folder / "1.0.json").write_text(json.dumps(given))
    server, _, _ = guarded({"upstream": "b"}, version="2.0", window="500ms")
    file = folder / "2.0.json"
    with load(server):
        # The windows of the process are those of its one guard.
        wait_for(server, LEARNING, 0)
    server.stop()
    learnt = json.loads(file.read_text())
    assert -1e9 < learnt["memory_growth_bytes_per_second"] < 1e8
    assert 0 <= learnt["cpu_steal"] <= 1
    code, output, errors = run_gateway("baseline", "2.0", WEIR_BASELINE=folder)
    assert (code, errors) == (0, []) and "memory growth" in output and "CPU steal" in output
    rows = json.loads(run_gateway("baseline", "1.0", "2.0", "--json", WEIR_BASELINE=folder)[1])["values"]
    rows = {row["name"]: row for row in rows}
    for name, field in [("memory growth", "memory_growth_bytes_per_second"), ("CPU steal", "cpu_steal")]:
        assert (rows[name]["old"], rows[name]["new"]) == (given[field], learnt[field])
        assert rows[name]["verdict"] == ("better" if given[field] > 1.25 * max(0, learnt[field]) else "same")


def test_a_baseline_of_another_version_is_not_shown_as_this_one(folder):
    (folder / "2.0.json").write_text((folder / "1.0.json").read_text())
    for arguments in (["2.0"], ["1.0", "2.0"]):
        code, output, errors = run_gateway("baseline", *arguments, WEIR_BASELINE=folder)
        assert (code, output, len(errors)) == (69, "", 1)
        assert 'version is "1.0" in the file of this version' in errors[0]


def test_a_version_that_is_no_name_is_refused():
    code, _, errors = run_gateway("check", WEIR_BASELINE_VERSION="a/b")
    assert code == 78 and len(errors) == 1 and "WEIR_BASELINE_VERSION" in errors[0]
