# SPDX-License-Identifier: Apache-2.0
# The access log: a line for each request with what really happened, and no request that waits for its reader.

import json
import os
import re
import time
from datetime import datetime, timezone

import pytest

from polling import eventually
from server import run_to_failure
from wire import request

DROPPED = "weir_access_log_lines_dropped_total"
KEYS = [
    "time", "level", "kind", "method", "route", "status", "reason", "bytes_in", "bytes_out", "duration_ms", "request_id",
    "trace_id", "span_id", "client", "endpoint",
]  # fmt: skip


def entries(path):
    """The lines that are there, all of them whole and with their keys in order."""
    text = path.read_text() if path.exists() else ""
    assert text == "" or text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    for entry in found:
        assert list(entry) == [key for key in KEYS if key in entry]
    return found


def wait_for_entries(path, count):
    return eventually(lambda: (found := entries(path)) and len(found) >= count and found, f"{count} lines")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


def entry_of(serve, log, data, method="GET", replies=True, **settings):
    """The one entry of one request, sent to a service with these settings."""
    server = serve(WEIR_ACCESS_LOG=log, **settings)
    with server.connect() as wire:
        wire.send(data)
        if replies:
            wire.reply(method)
        else:
            eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 1, "the request executes")
            wire.reset()
        return wait_for_entries(log, 1)[0]


def test_there_is_none_unless_it_is_asked_for(serve, log):
    server = serve()
    with server.connect() as wire:
        assert wire.get().status == 200
    assert DROPPED not in server.metrics()


def test_a_line_says_what_happened(serve, log):
    before = time.time()
    entry = entry_of(serve, log, request("/users/7/orders/8?secret=1"))
    duration = entry.pop("duration_ms")
    assert 0 <= duration < 1000 * (time.time() - before)
    written = datetime.strptime(entry.pop("time"), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()
    assert before - 1 <= written <= time.time() + 1
    assert re.fullmatch("[0-9a-f]{16}", entry.pop("request_id"))
    assert entry == {
        "level": "info",
        "kind": "access",
        "method": "GET",
        "route": "/users/:id/orders/:order",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": len("user 7, order 8\n"),
        "client": "127.0.0.1",
    }
    assert "secret" not in log.read_text()


@pytest.mark.parametrize(
    ("data", "method", "expected"),
    [
        (request("/hello", "HEAD"), "HEAD", {"method": "HEAD", "route": "/hello", "status": 200, "bytes_out": 0}),
        (request("/async"), "GET", {"route": "/async", "bytes_out": 13}),
        (request("/blocking"), "GET", {"route": "/blocking", "bytes_out": 13}),
        (request("/nowhere"), "GET", {"method": "GET", "route": "", "status": 404, "client": "127.0.0.1"}),
        (request("/hello", "DELETE"), "DELETE", {"method": "DELETE", "route": "", "status": 405}),
        (request("/hello", "BREW"), "GET", {"method": "_OTHER", "route": "", "status": 501}),
        (b"nonsense\r\n\r\n", "GET", {"route": "", "status": 400, "client": "127.0.0.1"}),
        (
            request("/echo", "POST", ["Content-Length: 5"], b"12345"),
            "POST",
            {"method": "POST", "bytes_in": 5, "bytes_out": 5, "status": 200},
        ),
        (
            request("/echo", "POST", ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"),
            "POST",
            {"bytes_in": 7, "bytes_out": 7},
        ),
        (request("/files/large.bin"), "GET", {"route": "/files/*path", "status": 404}),
        (request("/hello", headers=["X-Request-ID: abc-1"]), "GET", {"request_id": "abc-1"}),
    ],
)
def test_each_kind_of_answer(serve, log, data, method, expected):
    entry = entry_of(serve, log, data, method)
    assert {key: entry.get(key) for key in expected} == expected
    assert "reason" not in entry


def test_an_id_that_is_not_plausible_is_replaced(serve, log):
    for id in ['a"b', "a\\b", "a b", "x" * 129]:
        log.unlink(missing_ok=True)
        entry = entry_of(serve, log, request("/hello", headers=[f"X-Request-ID: {id}"]))
        assert re.fullmatch("[0-9a-f]{16}", entry["request_id"])


def test_a_deadline_is_a_reason(serve, log):
    entry = entry_of(serve, log, request("/sleep?ms=60000"), WEIR_DEADLINE="50ms")
    assert (entry["status"], entry["reason"]) == (504, "deadline_exceeded")
    assert entry["duration_ms"] >= 50


def test_a_client_that_leaves_is_logged_without_a_status(serve, log):
    entry = entry_of(serve, log, request("/sleep?ms=60000"), replies=False)
    assert (entry["route"], entry["status"], entry["reason"]) == ("/sleep", 0, "aborted")


def test_what_a_problem_document_calls_a_request_is_what_the_log_calls_it(serve, log):
    server = serve(WEIR_ACCESS_LOG=log)
    with server.connect() as wire:
        problem = json.loads(wire.get("/nowhere").body)
    assert wait_for_entries(log, 1)[0]["request_id"] == problem["request_id"]


def test_every_request_has_its_line_when_the_service_ends(serve, log):
    server = serve(WEIR_ACCESS_LOG=log, WEIR_KEEPALIVE_REQUESTS=1_000_000)
    count = 5000
    with server.connect() as wire:
        for _ in range(count // 100):
            wire.send(request() * 100)
            for _ in range(100):
                assert wire.reply().status == 200
    # Probes and scrapes are no requests of the service.
    assert server.metric("weir_requests_total") == count
    assert server.metric(DROPPED) == 0
    server.stop()
    found = entries(log)
    assert len(found) == count
    assert len({entry["request_id"] for entry in found}) == count
    assert {entry["route"] for entry in found} == {"/hello"}


def test_text_is_one_line_of_pairs(serve, log):
    server = serve(WEIR_ACCESS_LOG=log, WEIR_LOG_FORMAT="text")
    with server.connect() as wire:
        wire.get()
    line = eventually(lambda: log.exists() and log.read_text(), "a line")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO access: method=GET route=/hello status=200 bytes_in=0 bytes_out=13 "
        r"duration_ms=\d+\.\d{3} request_id=[0-9a-f]{16} client=127\.0\.0\.1\n",
        line,
    )


def test_a_rotated_file_is_followed(serve, log):
    server = serve(WEIR_ACCESS_LOG=log)
    with server.connect() as wire:
        wire.get()
        wait_for_entries(log, 1)
        old = log.rename(log.with_suffix(".1"))
        count = 1

        def is_followed():
            nonlocal count
            wire.get()
            count += 1
            return log.exists() and entries(log)

        eventually(is_followed, "lines in the new file")
    server.stop()
    assert len(entries(old)) + len(entries(log)) == count


def test_standard_output_that_nobody_reads_delays_no_request(serve):
    reader, writer = os.pipe()
    try:
        server = serve(
            stdout=writer, WEIR_ACCESS_LOG="stdout", WEIR_ACCESS_LOG_BUFFER="64KiB", WEIR_KEEPALIVE_REQUESTS=1_000_000
        )
        # Far more than the pipe, the thread and the rings hold together.
        count = 20_000
        with server.connect() as wire:
            for _ in range(count // 100):
                wire.send(request() * 100)
                for _ in range(100):
                    assert wire.reply().status == 200
        dropped = server.metric(DROPPED)
        assert 0 < dropped < count
        # Its end does not wait for the reader either.
        server.stop()
    finally:
        os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = [json.loads(line) for line in pipe]
    # What the thread held at the end was dropped too.
    assert 0 < len(lines) <= count - dropped


def test_standard_output_is_written(serve):
    reader, writer = os.pipe()
    try:
        server = serve(stdout=writer, WEIR_ACCESS_LOG="stdout")
        with server.connect() as wire:
            wire.get()
        server.stop()
    finally:
        os.close(writer)
    with os.fdopen(reader) as pipe:
        assert [json.loads(line)["route"] for line in pipe] == ["/hello"]


def test_a_full_disk_costs_lines_and_no_request(serve):
    server = serve(WEIR_ACCESS_LOG="/dev/full")
    with server.connect() as wire:
        for _ in range(10):
            assert wire.get().status == 200
    assert server.wait_for_metric(DROPPED, 10) == 10


@pytest.mark.parametrize("value", ["access.log", "/nonexistent/access.log", "/tmp"])
def test_what_cannot_be_written_to_stops_the_start(value):
    code, lines = run_to_failure({"WEIR_ACCESS_LOG": value})
    assert code == 78
    assert len(lines) == 1
    assert lines[0].startswith(f'weir: WEIR_ACCESS_LOG="{value}": expected ')
