# SPDX-License-Identifier: Apache-2.0
# The command line of the gateway: what it prints, its exit codes, and that each fault is one line.

import re
import socket

import pytest

from server import run_gateway

TOKEN = "a-token-that-nobody-may-read"


def table(output):
    """The lines of `weir check` by the setting's name: value and source."""
    lines = [line.split() for line in output.splitlines()]
    assert lines[0] == ["name", "value", "source"]
    return {name: (value, source) for name, value, source in lines[1:]}


def test_the_version_is_one_line():
    code, output, errors = run_gateway("--version")
    assert (code, errors) == (0, [])
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\n", output)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], ["check", "--help"], ["help", "demo"]])
def test_help_goes_to_standard_output(arguments):
    code, output, errors = run_gateway(*arguments)
    assert (code, errors) == (0, [])
    assert "USAGE: weir" in output


def test_help_names_the_commands_the_settings_and_the_exit_codes():
    output = run_gateway("--help")[1]
    for word in ["serve", "check", "demo", "WEIR_UPSTREAM", "docs/configuration.md", "64", "69", "70", "78"]:
        assert word in output, word


@pytest.mark.parametrize("arguments", [["bogus"], ["--bogus"], ["check", "bogus"], ["demo", "--port", "80"], ["serve", "x"]])
def test_a_wrong_command_line_is_one_line_and_exit_code_64(arguments):
    code, output, errors = run_gateway(*arguments)
    assert (code, output) == (64, "")
    assert len(errors) == 1 and errors[0].startswith("weir: ") and "weir --help" in errors[0], errors


def test_check_prints_every_setting_with_its_source():
    code, output, errors = run_gateway(
        "check", WEIR_LISTEN=None, WEIR_DEADLINE="2000ms", WEIR_UPSTREAM="http://A.example:80, unix:/run/a.sock;weight=2"
    )
    assert (code, errors) == (0, [])
    settings = table(output)
    assert settings["WEIR_LISTEN"] == (":8080", "default")
    assert settings["WEIR_DEADLINE"] == ("2s", "environment")
    assert settings["WEIR_UPSTREAM"] == ("http://a.example,unix:/run/a.sock;weight=2", "environment")
    assert settings["WEIR_TRUSTED_PROXIES"] == ("-", "default")
    assert len(settings) > 40


def test_check_is_content_without_an_upstream():
    code, output, errors = run_gateway("check")
    assert (code, errors) == (0, [])
    assert table(output)["WEIR_UPSTREAM"] == ("-", "default")


def test_check_binds_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run_gateway("check", WEIR_LISTEN=address)[0] == 0


def test_check_does_not_show_a_secret():
    code, output, errors = run_gateway("check", WEIR_ADMIN_TOKEN=TOKEN)
    assert (code, errors) == (0, [])
    assert table(output)["WEIR_ADMIN_TOKEN"] == ("***", "environment")
    assert TOKEN not in output


WRONG = {
    "WEIR_DEADLINE": "soon",
    "WEIR_UPSTREAM": "ftp://a.example",
    "WEIR_TRUSTED_PROXIES": "everybody",
    "WEIR_DRAIN_TIMEOUT": "0",
    "WEIR_LISTNE": ":8080",
}


@pytest.mark.parametrize("command", ["serve", "check", "demo", None])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_line_and_exit_code_78(command, name):
    settings = {name: WRONG[name], "WEIR_DRAIN_DELAY": "5s"}
    code, output, errors = run_gateway(*([command] if command else []), **settings)
    assert (code, output) == (78, "")
    assert len(errors) == 1 and errors[0].startswith(f'weir: {name}="{WRONG[name]}"'), errors


@pytest.mark.parametrize("name", ["WEIR_ADMIN_TOKEN", "WEIR_ADMIN_TOKN"])
def test_a_wrong_secret_is_not_shown_in_the_error(name):
    code, output, errors = run_gateway("check", **{name: "shortsecret"})
    assert (code, output) == (78, "")
    assert len(errors) == 1 and name in errors[0] and "shortsecret" not in errors[0], errors


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_password_in_a_url_is_not_shown_in_the_error(command):
    code, output, errors = run_gateway(command, WEIR_UPSTREAM="http://a.example,http://me:hidden@b.example")
    assert (code, output) == (78, "")
    assert len(errors) == 1 and "has a user name" in errors[0] and "hidden" not in errors[0], errors


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize("setting", ["WEIR_LISTEN", "WEIR_ADMIN_LISTEN"])
def test_a_port_in_use_is_one_line_and_exit_code_69(command, setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, output, errors = run_gateway(command, **{setting: address})
    assert (code, output) == (69, "")
    assert len(errors) == 1 and address in errors[0], errors


def test_the_demo_alone_serves_its_routes(weir):
    demo = weir("demo")
    with demo.connect() as wire:
        assert wire.get().body == b"Hello, world\n"
        assert wire.get("/users/7/orders/42").body == b"user 7, order 42\n"
    assert demo.ask_admin("/readyz") == (200, "ready\n")


def test_the_demo_has_no_files_but_those_it_was_given(weir, files):
    with weir("demo").connect() as wire:
        assert wire.get("/files/etc/hostname").status == 404
        assert wire.get("/files/Package.swift").status == 404
    with weir("demo", HELLO_FILES=files).connect() as wire:
        assert wire.get("/files/inside.txt").body == b"inside"


def test_what_is_served_without_an_upstream_is_said_in_one_line(weir):
    gateway = weir()
    line = gateway.wait_for_line("WEIR_UPSTREAM is not set")
    assert "http://127.0.0.1:" in line
    assert len(gateway.log) == 2
    assert gateway.messages[0] == "serving"
