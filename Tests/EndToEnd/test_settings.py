# SPDX-License-Identifier: Apache-2.0
# Settings from the environment: wrong ones stop the start with one line that helps, right ones and Kubernetes' do not.

import json
import re
import socket

import pytest

from polling import eventually
from server import REPOSITORY, run_to_failure
from wire import Wire

ROW = re.compile(r"^\| `(WEIR_\w+)` \| `([^`]*)` \|", re.M)
DOCUMENTED = dict(ROW.findall((REPOSITORY / "docs/configuration.md").read_text()))

WRONG = {
    "addresses": ("WEIR_LISTEN", ["8080", ":70000", "127.0.0.1", "example.com:80", ":-1", ":+80", "[::1:80", "off",
                                  "unix:weir.sock", "unix:/a;mode=0999", "unix:/a;mode=", "unix:/" + "a" * 107,
                                  ":80,", "," + ":0," * 16 + ":0"]),
    "addresses or off": ("WEIR_ADMIN_LISTEN", ["none", "9901", ":99010"]),
    "count": ("WEIR_LOOPS", ["0", "257", "-1", "+2", "two", "1.5", "0x2", "1 000", "99999999999999999999"]),
    "number": ("WEIR_KEEPALIVE_REQUESTS", ["0", "-1", "1e3", "auto", "1_000", "10000000000", "off"]),
    "percent": ("WEIR_DESCRIPTORS_HIGH", ["9", "101", "85%", "-5"]),
    "duration": ("WEIR_DEADLINE", ["0", "5", "5 s", "5sec", "1.5s", "-5s", "1d", "2h", "500us", "5s5s", "s", "off",
                                   "9999999999999999999h"]),
    "duration or off": ("WEIR_CONNECTION_AGE", ["1ms", "25h", "never", "5"]),
    "size": ("WEIR_HEADER_BYTES", ["1", "1KB", "32kib", "32 KiB", "1MiB", "-32KiB", "1.5KiB", "9999999999GiB"]),
    "flag": ("WEIR_PIN", ["maybe", "2", "tru", "-1"]),
    "level": ("WEIR_LOG_LEVEL", ["loud", "warn ing", "5"]),
    "format": ("WEIR_LOG_FORMAT", ["xml", "json,text"]),
}
CASES = [(name, value) for name, values in WRONG.values() for value in values]


def expect_one_line(settings, *parts):
    code, lines = run_to_failure(settings)
    assert code == 78, lines
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0], lines
    return lines[0]


@pytest.mark.parametrize("name, value", CASES, ids=[f"{name}={value[:24]}" for name, value in CASES])
def test_a_wrong_value_is_named_with_what_is_expected(name, value):
    expect_one_line({name: value}, name, f'"{value}"', "expected")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_setting_is_read(name):
    expect_one_line({name: "no such value"}, name, '"no such value"', "expected")


def test_the_documented_defaults_are_accepted(serve):
    assert len(DOCUMENTED) > 30
    server = serve(**{**DOCUMENTED, "WEIR_LISTEN": ":0", "WEIR_ADMIN_LISTEN": ":0", "WEIR_DRAIN_DELAY": "0"})
    with server.connect() as wire:
        assert wire.get().status == 200


@pytest.mark.parametrize("settings", [
    {"WEIR_DRAIN_TIMEOUT": "1s", "WEIR_DRAIN_DELAY": "2s"},
    {"WEIR_WORKERS": "2", "WEIR_WORKERS_MIN": "3"},
    {"WEIR_LOOP_STUCK": "1s", "WEIR_LOOP_STALL": "2s"},
    {"WEIR_LISTEN": ":18080", "WEIR_ADMIN_LISTEN": ":18080"},
])
def test_settings_that_do_not_fit_together_are_both_named(settings):
    expect_one_line(settings, "expected", *settings.keys(), *settings.values())


@pytest.mark.parametrize("name, meant", [
    ("WEIR_DEADLNE", "WEIR_DEADLINE"),
    ("WEIR_LISTN", "WEIR_LISTEN"),
    ("WEIR_KEEPALIVE_REQUEST", "WEIR_KEEPALIVE_REQUESTS"),
    ("WEIR_LOG_LEVLE", "WEIR_LOG_LEVEL"),
    ("WEIR_DRAIN_TIME", "WEIR_DRAIN_TIMEOUT"),
])
def test_an_unknown_name_suggests_the_nearest(name, meant):
    expect_one_line({name: "1"}, name, f"did you mean {meant}?")


def test_an_unknown_name_that_is_near_none_suggests_none():
    assert "did you mean" not in expect_one_line({"WEIR_FROBNICATION_FACTOR": "1"}, "WEIR_FROBNICATION_FACTOR")


def test_an_unknown_name_is_refused_even_if_empty():
    expect_one_line({"WEIR_DEADLNE": ""}, 'WEIR_DEADLNE=""', "did you mean WEIR_DEADLINE?")


@pytest.mark.parametrize("name, value, meant", [
    ("WEIR_PORT", "8080", "WEIR_LISTEN"),
    ("WEIR_ADMIN_PORT", "9901", "WEIR_ADMIN_LISTEN"),
])
def test_a_port_that_somebody_wants_to_set_is_no_service_link(name, value, meant):
    expect_one_line({name: value}, f'{name}="{value}"', f"did you mean {meant}?")


@pytest.mark.parametrize("value", ["15s\nWEIR: all is well", "\x1b[2J", 'a"b', "x" * 100_000])
def test_a_value_can_neither_break_nor_flood_the_line(value):
    line = expect_one_line({"WEIR_DEADLINE": value}, "WEIR_DEADLINE", "expected")
    assert line.isprintable() and len(line) < 1000


def test_empty_variables_and_blanks_around_values_do_no_harm(serve):
    server = serve(WEIR_DEADLINE="", WEIR_LOOPS=" 1 ", WEIR_PIN="  ")
    assert server.metric("weir_loops") == 1


def test_kubernetes_service_links_are_ignored(serve):
    links = {}
    for service in ["WEIR", "WEIR_CANARY", "WEIR_GATEWAY_2"]:
        links |= {
            f"{service}_SERVICE_HOST": "10.0.0.1",
            f"{service}_SERVICE_PORT": "80",
            f"{service}_SERVICE_PORT_HTTP": "80",
            f"{service}_SERVICE_PORT_HTTP_ADMIN": "9901",
            f"{service}_PORT": "tcp://10.0.0.1:80",
            f"{service}_PORT_80_TCP": "tcp://10.0.0.1:80",
            f"{service}_PORT_80_TCP_PROTO": "tcp",
            f"{service}_PORT_80_TCP_PORT": "80",
            f"{service}_PORT_80_TCP_ADDR": "10.0.0.1",
            f"{service}_PORT_53_UDP_ADDR": "10.0.0.1",
        }
    server = serve(**links)
    with server.connect() as wire:
        assert wire.get().status == 200


def test_variables_of_others_are_ignored(serve):
    server = serve(WEIRD="1", MY_WEIR_LOOPS="x", weir_loops="x")
    with server.connect() as wire:
        assert wire.get().status == 200


# The log


def test_a_json_log_is_one_object_a_line(serve):
    server = serve(WEIR_LOG_FORMAT="json", WEIR_LOG_LEVEL="trace")
    with server.connect() as wire:
        wire.get("/nope")
    server.stop()
    entries = [json.loads(line) for line in server.log]
    assert [entry["message"] for entry in entries if entry["level"] == "info"] == ["serving", "draining", "drained"]
    for entry in entries:
        assert {"time", "level", "logger", "message"} <= entry.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


def test_a_text_log_is_for_people(serve):
    server = serve(WEIR_LOG_FORMAT="text")
    server.stop()
    assert [re.search(r"serving|draining|drained", line)[0] for line in server.log] == ["serving", "draining", "drained"]
    for line in server.log:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* \S+ ", line), line
        assert not line.startswith("{")


def test_lines_below_the_level_are_not_logged(serve):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve(quiet=True, WEIR_LOG_LEVEL="error", WEIR_LISTEN=f"127.0.0.1:{port}")

    def connected():
        try:
            return Wire(("127.0.0.1", port))
        except ConnectionRefusedError:
            return None

    with eventually(connected, "the service listens") as wire:
        assert wire.get().status == 200
    server.stop()
    assert server.log == []
