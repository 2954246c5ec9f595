# SPDX-License-Identifier: Apache-2.0
# `weir drain`, which a preStop hook runs beside the gateway: what it waits for, what it says, and how it ends.

import socket
import subprocess
import threading
import time

import pytest

from certificates import Authority
from cgroups import group  # noqa: F401: a fixture
from polling import PATIENCE_SECONDS, eventually
from reloads import File
from server import GATEWAY, command, environment, run_gateway
from wire import request

TOKEN = "a-token-that-nobody-may-read"
DRAINED = (0, "drained\n", [])


class Draining(threading.Thread):
    """The command, which takes as long as the drain."""

    def __init__(self, server, *arguments, **settings):
        super().__init__(daemon=True)
        self.asked, self.settings, self.result = arguments, {**listen(server), **settings}, None
        self.start()

    def run(self):
        self.result = run_gateway("drain", *self.asked, **self.settings)

    def wait(self):
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the command does not end"
        return self.result


def listen(server):
    return {"WEIR_ADMIN_LISTEN": server.admin[0]}


def wait_for_executing(server):
    eventually(lambda: server.metric('weir_requests_executing{pool="pod"}') == 1, "the request is in the handler")


def test_it_waits_for_what_is_in_flight_and_the_process_goes_on(weir):
    server = weir("demo", WEIR_DRAIN_DELAY="500ms")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1500"))
        wait_for_executing(server)
        draining = Draining(server)
        eventually(lambda: server.ask_admin("/readyz")[0] == 503, "the drain has begun")
        with server.connect() as late:
            assert late.get("/hello").status == 200
        assert draining.result is None
        assert wire.reply().status == 200
    assert draining.wait() == DRAINED
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert server.process.poll() is None
    # Again, such as by the hook of another container.
    assert run_gateway("drain", **listen(server)) == DRAINED


def test_a_drain_that_another_has_begun_is_joined(weir):
    server = weir("demo", WEIR_DRAIN_DELAY="1s")
    first, second = Draining(server), Draining(server)
    assert (first.wait(), second.wait()) == (DRAINED, DRAINED)
    assert server.messages.count("draining") == 1


def test_what_is_left_when_the_drain_has_no_more_time_is_said(weir):
    server = weir("demo", WEIR_DRAIN_TIMEOUT="300ms")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=2000"))
        wait_for_executing(server)
        assert run_gateway("drain", **listen(server)) == (75, "", ["weir: drain timed out, connections left: 1"])
        assert wire.reply().status == 200


def test_its_own_timeout_ends_it_and_not_the_drain(weir):
    server = weir("demo")
    with server.connect() as wire:
        wire.send(request("/sleep?ms=1500"))
        wait_for_executing(server)
        said = "weir: the drain has not ended within 200ms (--timeout); it goes on"
        assert run_gateway("drain", "--timeout", "200ms", **listen(server)) == (75, "", [said])
        assert server.ask_admin("/readyz")[0] == 503
        assert wire.reply().status == 200
    server.wait_for_line("drained")


def test_the_timeout_is_that_of_the_drain_and_a_little_more():
    """Somebody who never answers, and a drain that takes no time: 5 s for the answer."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        code, output, errors = run_gateway(
            "drain", WEIR_ADMIN_LISTEN=f"127.0.0.1:{mute.getsockname()[1]}", WEIR_DRAIN_TIMEOUT="10ms"
        )
        assert time.monotonic() - began >= 5
    assert (code, output) == (75, "")
    assert errors == ["weir: the drain has not ended within 5010ms (--timeout); it goes on"]


@pytest.mark.parametrize("address", [":{port}", "0.0.0.0:{port}", "[::]:{port}", "localhost:{port}", "127.0.0.1:{port}"])
def test_an_address_for_all_is_asked_over_loopback(weir, address):
    server = weir("demo", WEIR_ADMIN_LISTEN=address.format(port=0), WEIR_ADMIN_TOKEN=TOKEN)
    # Without the token, as from another container of the pod.
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=address.format(port=server.admin_port)) == DRAINED


def test_an_address_beyond_loopback_needs_the_token(weir):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel says from which address it would be.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    server = weir("demo", WEIR_ADMIN_LISTEN=f"{own}:0", WEIR_ADMIN_TOKEN=TOKEN)
    code, output, errors = run_gateway("drain", **listen(server))
    assert (code, output, len(errors)) == (69, "", 1)
    assert errors[0].startswith(f"weir: {server.admin[0]} refuses: ") and "WEIR_ADMIN_TOKEN" in errors[0]
    assert server.process.poll() is None and "draining" not in server.messages
    assert run_gateway("drain", **listen(server), WEIR_ADMIN_TOKEN=TOKEN) == DRAINED


def test_a_unix_socket_is_asked_as_well(weir, tmp_path):
    place = f"unix:{tmp_path}/admin.sock;mode=0600"
    weir("demo", WEIR_ADMIN_LISTEN=place)
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=place) == DRAINED


@pytest.fixture
def tls(tmp_path):
    certificate, key = Authority(tmp_path).pair("server", "admin.example")
    return {"WEIR_TLS_CERT": certificate, "WEIR_TLS_KEY": key}


@pytest.mark.parametrize("lowest", ["1.2", "1.3"])
def test_a_port_with_tls_is_asked_over_tls(weir, tls, lowest):
    server = weir("demo", WEIR_ADMIN_LISTEN=f"tls://127.0.0.1:0;min={lowest}", **tls)
    place = f"tls://127.0.0.1:{server.admin_port};min={lowest}"
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=place, **tls) == DRAINED


def test_certificates_that_clients_must_have_are_not_asked_of_the_hook(weir, tls):
    tls = {**tls, "WEIR_TLS_CLIENT_CA": tls["WEIR_TLS_CERT"], "WEIR_TLS_CLIENT": "required"}
    server = weir("demo", WEIR_ADMIN_LISTEN="tls://127.0.0.1:0", **tls)
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=f"tls://127.0.0.1:{server.admin_port}", **tls) == DRAINED


def test_of_several_ports_the_first_that_somebody_listens_on_is_asked(weir, tls):
    server = weir("demo", WEIR_ADMIN_LISTEN="tls://127.0.0.1:0", **tls)
    places = f"127.0.0.1:{free_port()},tls://127.0.0.1:{server.admin_port}"
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=places, **tls) == DRAINED


def test_what_speaks_no_tls_is_one_line(weir, tls):
    server = weir("demo")
    place = f"tls://127.0.0.1:{server.admin_port}"
    said = [f"weir: {place}: it answers without TLS"]
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=place, **tls) == (69, "", said)


# What is wrong


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_nothing_that_listens_is_one_line(tmp_path):
    place = f"127.0.0.1:{free_port()}"
    refused = [f"weir: no Weir listens on {place} (WEIR_ADMIN_LISTEN): Connection refused"]
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=place) == (69, "", refused)
    absent = [f"weir: no Weir listens on unix:{tmp_path}/none (WEIR_ADMIN_LISTEN): No such file or directory"]
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=f"unix:{tmp_path}/none") == (69, "", absent)


@pytest.mark.parametrize("place", ["off", "127.0.0.1:0"])
def test_a_port_that_nobody_can_know_is_one_line(place):
    said = "weir: WEIR_ADMIN_LISTEN names no port that can be asked; expected one such as :9901"
    assert run_gateway("drain", WEIR_ADMIN_LISTEN=place) == (69, "", [said])


@pytest.mark.parametrize("answer, said", [
    (b"", "ended the connection without an answer; is it an admin port?"),
    (b"220 mail.example ESMTP\r\n", "ended the connection without an answer; is it an admin port?"),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers 404; is it the admin port of a Weir?"),
])  # fmt: skip
def test_somebody_else_who_listens_is_one_line(answer, said):
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"

        def serve():
            connection, _ = other.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        assert run_gateway("drain", WEIR_ADMIN_LISTEN=place) == (69, "", [f"weir: {place} {said}"])
        serving.join()


def test_the_service_port_is_no_admin_port(weir):
    server = weir("demo")
    code, _, errors = run_gateway("drain", WEIR_ADMIN_LISTEN=server.listen[0])
    assert (code, errors) == (69, [f"weir: {server.listen[0]} answers 404; is it the admin port of a Weir?"])


def test_a_process_that_is_killed_meanwhile_is_one_line():
    process = subprocess.Popen(
        command(binary=GATEWAY, arguments=["demo"]),
        env=environment({"WEIR_ADMIN_LISTEN": f"127.0.0.1:{(port := free_port())}", "WEIR_DRAIN_DELAY": "20s"}),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "serving" in process.stderr.readline()
        ended = []
        place = f"127.0.0.1:{port}"
        thread = threading.Thread(target=lambda: ended.append(run_gateway("drain", WEIR_ADMIN_LISTEN=place)))
        thread.start()
        assert "draining" in process.stderr.readline()
        process.kill()
        thread.join(PATIENCE_SECONDS)
        assert ended == [
            (69, "", [f"weir: {place} ended the connection without an answer; is it an admin port?"])
        ]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("arguments", [["--timeout"], ["--timeout", "soon"], ["--timeout", "0"], ["now"], ["--time", "1s"]])
def test_a_wrong_command_line_is_one_line(arguments):
    code, output, errors = run_gateway("drain", *arguments)
    assert (code, output, len(errors)) == (64, "", 1)
    assert errors[0].startswith("weir: ") and "weir --help" in errors[0]


def test_a_wrong_setting_is_one_line():
    code, output, errors = run_gateway("drain", WEIR_DRAIN_TIMEOUT="soon")
    assert (code, output, len(errors)) == (78, "", 1)
    assert errors[0].startswith('weir: WEIR_DRAIN_TIMEOUT="soon"')


def test_a_file_that_has_come_to_be_wrong_holds_no_drain_up(gateway_of, tmp_path):
    """The gateway goes on with what it had; so must its hook."""
    file = File(tmp_path)
    server = gateway_of(file, "queue: 10\n")
    file.write("queue: [")
    settings = {"WEIR_CONFIG": file.path, **listen(server)}
    assert run_gateway("check", **settings)[0] == 78
    assert run_gateway("drain", **settings) == DRAINED
    file.path.unlink()
    assert run_gateway("drain", **settings) == DRAINED


def test_it_runs_in_a_pod_that_has_no_room_for_a_thread(weir, group):
    server = weir("demo")
    pids = group("pids")
    pids.write("pids.max", 1)
    result = subprocess.run(
        command(binary=GATEWAY, arguments=["drain"], group=pids),
        env=environment(listen(server)),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"drained\n", b"")
