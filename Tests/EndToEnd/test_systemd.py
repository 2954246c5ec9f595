# SPDX-License-Identifier: Apache-2.0
# The gateway under systemd: what it tells a service manager, the sockets that it is given, its journal, its units.

import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import journal
from manager import Manager
from polling import PATIENCE_SECONDS, eventually
from server import GATEWAY, REPOSITORY, TEST_SETTINGS
from wire import Wire

UNITS = REPOSITORY / "manifests/systemd"


@pytest.fixture(scope="module")
def upstream():
    """What the gateway is in front of."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"Hello, world\n")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@pytest.fixture
def settings(upstream):
    return {**TEST_SETTINGS, "WEIR_UPSTREAM": upstream}


@contextmanager
def running(command, settings):
    """A process that is killed, should it outlive its test."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command],
        env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in settings.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process):
    """Exit code, and what it wrote."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def activated(listeners, settings, *options):
    """The gateway behind systemd-socket-activate, which opens the sockets and becomes the gateway at the first sign of
    a client. `listeners` is pairs of address and name."""
    command = ["systemd-socket-activate", *options]
    for address, _ in listeners:
        command += ["--listen", str(address)]
    names = [name for _, name in listeners if name]
    if names:
        command += ["--fdname", ":".join(names)]
    for name, value in settings.items():
        command += ["--setenv", f"{name}={value}"]
    return running([*command, GATEWAY], settings)


def connected(address):
    """A connection, as soon as the sockets are open."""

    def attempt():
        try:
            return Wire(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return None

    return eventually(attempt, f"{address} is listened on")


def get(address, target="/hello"):
    with connected(address) as wire:
        return wire.get(target)


# What it tells


def test_a_life_is_told_in_its_order(manager, settings):
    with running([GATEWAY], {**settings, **manager.settings(watchdog_seconds=0.2)}) as process:
        ready, status = manager.next()
        assert ready == "READY=1"
        assert status.startswith("STATUS=Serving on 127.0.0.1:")
        address = ("127.0.0.1", int(status.split(":")[1].split(",")[0]))
        assert get(address).body == b"Hello, world\n", "READY means that requests are served"
        for _ in range(3):
            assert next(message for message in iter(manager.next, None) if not message[0].startswith("STATUS=")) == [
                "WATCHDOG=1"
            ]
        process.send_signal(signal.SIGTERM)
        stopping, status = manager.next_state()
        assert stopping == "STOPPING=1"
        assert status.startswith("STATUS=Draining ")
        # The drain timeout of 25 s and the time that the end itself takes.
        assert manager.next_state() == ["EXTEND_TIMEOUT_USEC=30000000"]
        assert ended(process)[0] == 0
    assert all(message == ["WATCHDOG=1"] or message[0].startswith("STATUS=Draining ") for message in manager.rest())


def test_without_a_watchdog_no_sign_of_life_is_given(manager, settings):
    with running([GATEWAY], {**settings, **manager.settings()}) as process:
        assert manager.next()[0] == "READY=1"
        process.send_signal(signal.SIGTERM)
        assert manager.next_state()[0] == "STOPPING=1"
        assert ended(process)[0] == 0
    assert ["WATCHDOG=1"] not in manager.rest()


def test_a_watchdog_for_another_process_is_not_ours(manager, settings):
    with running([GATEWAY], {**settings, **manager.settings(watchdog_seconds=0.01), "WATCHDOG_PID": 1}) as process:
        assert manager.next()[0] == "READY=1"
        process.send_signal(signal.SIGTERM)
        message = manager.next()
        if message[0].startswith("STATUS="):
            # The status line may tell of the drain a moment before.
            message = manager.next()
        assert message[0] == "STOPPING=1"
        assert ended(process)[0] == 0


def test_a_start_that_fails_is_not_ready(manager, settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with running([GATEWAY], {**settings, **manager.settings(), "WEIR_LISTEN": listen}) as process:
            assert ended(process)[0] == 69
    assert manager.rest() == []


# The sockets that it is given


@pytest.mark.parametrize("loops", [1, 3])
def test_sockets_that_were_opened_for_it_are_used(manager, settings, loops):
    http, admin = (("127.0.0.1", free_port()) for _ in range(2))
    # The settings' addresses cannot be bound: they are not even tried.
    settings = {
        **settings,
        **manager.settings(),
        "WEIR_LISTEN": "192.0.2.1:1",
        "WEIR_ADMIN_LISTEN": "192.0.2.1:2",
        "WEIR_LOOPS": loops,
    }
    listeners = [(f"{http[0]}:{http[1]}", "http"), (f"{admin[0]}:{admin[1]}", "admin")]
    with activated(listeners, settings) as process:
        assert get(http).body == b"Hello, world\n"
        assert manager.next()[1].startswith(f"STATUS=Serving on 127.0.0.1:{http[1]}, ")
        assert get(admin, "/readyz").status == 200
        wires = [Wire(http) for _ in range(20)]
        assert [wire.get().status for wire in wires] == [200] * 20
        for wire in wires:
            wire.close()
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    # systemd-socket-activate keeps no copy, so now nobody listens.
    with pytest.raises(ConnectionRefusedError):
        Wire(http)


def test_a_socket_without_a_name_takes_requests(settings):
    address = ("127.0.0.1", free_port())
    with activated([(f"127.0.0.1:{address[1]}", None)], settings) as process:
        assert get(address).body == b"Hello, world\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0


def test_the_file_of_a_unix_socket_stays_with_its_owner(settings, tmp_path):
    path = tmp_path / "weir.sock"
    with activated([(path, "http")], {**settings, "WEIR_LOOPS": 3}) as process:
        assert get(str(path)).body == b"Hello, world\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    assert path.is_socket()


def test_a_socket_with_a_name_that_is_not_known_stops_the_start(settings):
    address = ("127.0.0.1", free_port())
    with activated([(f"127.0.0.1:{address[1]}", "metrics")], settings) as process:
        connected(address).close()
        code, _, err = ended(process)
    assert code == 78
    assert err.splitlines()[-1] == (
        'weir: socket "metrics" (descriptor 3) from LISTEN_FDS has a name that is not known: '
        "FileDescriptorName= is http or admin"
    )


def test_a_datagram_socket_stops_the_start(settings):
    port = free_port()
    with activated([(f"127.0.0.1:{port}", "http")], settings, "--datagram") as process:

        def has_ended():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", ("127.0.0.1", port))
            return process.poll() is not None

        eventually(has_ended, "the start fails")
        code, _, err = ended(process)
    assert code == 78
    assert err.splitlines()[-1] == (
        'weir: socket "http" (descriptor 3) from LISTEN_FDS is no stream socket: it needs ListenStream='
    )


def test_sockets_for_another_process_are_not_used(settings):
    with running([GATEWAY], {**settings, "LISTEN_FDS": 2, "LISTEN_PID": 1}) as process:
        entry = json.loads(process.stderr.readline())
        assert entry["message"] == "serving"
        assert entry["listen"].startswith("127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0


# The journal


def test_the_log_goes_to_the_journal_with_fields(manager, settings):
    with running(journal.within([GATEWAY]), {**settings, **manager.settings()}) as process:
        assert manager.next()[0] == "READY=1"
        entry = json.loads(process.stdout.readline())
        assert entry["MESSAGE"] == "serving"
        assert entry["PRIORITY"] == "6"
        assert entry["SYSLOG_IDENTIFIER"] == "weir"
        assert entry["WEIR_LISTEN"].startswith("127.0.0.1:")
        # The journal runs as a parent of the gateway, which is its only child.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        code, out, err = ended(process)
    assert code == 0
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry["MESSAGE"] for entry in entries] == ["draining", "drained"]
    assert err == "", "nothing is logged twice"


def test_a_journal_that_is_not_standard_error_gets_nothing(settings):
    with running([GATEWAY], {**settings, "JOURNAL_STREAM": "1:1"}) as process:
        assert json.loads(process.stderr.readline())["message"] == "serving"
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0


# The units


def test_the_units_are_what_systemd_understands(tmp_path):
    # The one thing that is not there yet is the installed binary.
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/weir\n", f"{GATEWAY}\n"))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    assert {Path(unit).suffix for unit in units} == {".service", ".socket"}
    result = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_service_is_shut_in():
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(UNITS / "weir.service")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
