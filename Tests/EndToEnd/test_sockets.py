# SPDX-License-Identifier: Apache-2.0
# Where the service can be reached: IPv4, IPv6, Unix sockets, several listeners, several loops.

import os
import re
import socket
import stat

import httpx
import pytest

from polling import eventually
from server import Server, run_to_failure
from wire import Wire, request


def test_all_addresses_takes_ipv4_and_ipv6(serve, curl):
    server = serve(WEIR_LISTEN=":0")
    for host in ["127.0.0.1", "[::1]"]:
        assert curl(f"http://{host}:{server.port}/hello") == b"Hello, world\n"


@pytest.mark.parametrize("listen, address", [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("localhost:0", "127.0.0.1")])
def test_one_address_is_listened_on(serve, listen, address):
    server = serve(WEIR_LISTEN=listen)
    with Wire((address, server.port)) as wire:
        assert wire.get().status == 200


def test_an_address_that_is_not_listed_is_not_listened_on(serve):
    server = serve(WEIR_LISTEN="127.0.0.2:0")
    with Wire(("127.0.0.2", server.port)) as wire:
        assert wire.get().status == 200
    with pytest.raises(ConnectionRefusedError):
        Wire(("127.0.0.1", server.port))


def test_several_listeners_serve_the_same(serve, tmp_path):
    path = str(tmp_path / "weir.sock")
    server = serve(WEIR_LISTEN=f"127.0.0.1:0, [::1]:0 ,unix:{path}", WEIR_LOOPS=2)
    four, six, _ = server.listen
    for address in [("127.0.0.1", Server.port_of(four)), ("::1", Server.port_of(six)), path]:
        with Wire(address) as wire:
            assert wire.get("/async").body == b"Hello, world\n"


@pytest.mark.parametrize("loops", [1, 2])
def test_a_unix_socket_serves_and_is_removed_at_the_end(serve, curl, tmp_path, loops):
    path = tmp_path / "weir.sock"
    server = serve(WEIR_LISTEN=f"unix:{path}", WEIR_LOOPS=loops)
    assert curl("--unix-socket", str(path), "http://test/hello") == b"Hello, world\n"
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert [client.get("http://test/blocking").status_code for _ in range(20)] == [200] * 20
    wires = [Wire(str(path)) for _ in range(20)]
    assert [wire.get().status for wire in wires] == [200] * 20
    for wire in wires:
        wire.close()
    server.stop()
    assert not path.exists()


@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_a_unix_socket_has_the_mode_that_was_asked_for(serve, tmp_path, mode):
    path = tmp_path / "weir.sock"
    serve(WEIR_LISTEN=f"unix:{path};mode={mode}")
    status = path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == int(mode, 8)


def test_a_unix_socket_that_a_killed_service_left_is_replaced(serve, tmp_path):
    path = str(tmp_path / "weir.sock")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    assert os.path.exists(path)
    serve(WEIR_LISTEN=f"unix:{path}")
    with Wire(path) as wire:
        assert wire.get().status == 200


def test_a_unix_socket_in_use_is_left_to_its_owner(serve, tmp_path):
    path = str(tmp_path / "weir.sock")
    serve(WEIR_LISTEN=f"unix:{path}")
    code, lines = run_to_failure({"WEIR_LISTEN": f"unix:{path}"})
    assert code == 69
    assert len(lines) == 1 and path in lines[0], lines
    with Wire(path) as wire:
        assert wire.get().status == 200


def test_a_file_that_is_no_socket_is_not_deleted(tmp_path):
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    code, lines = run_to_failure({"WEIR_LISTEN": f"unix:{path}"})
    assert path.read_text() == "precious"
    assert code == 69
    assert len(lines) == 1 and str(path) in lines[0], lines


def test_a_unix_socket_in_a_missing_folder_is_reported_with_exit_code_69(tmp_path):
    path = tmp_path / "missing" / "weir.sock"
    code, lines = run_to_failure({"WEIR_LISTEN": f"unix:{path}"})
    assert code == 69
    assert len(lines) == 1 and str(path) in lines[0], lines


def wait_for_loop_cpus(server, condition):
    """The CPUs that each loop's thread may use. A thread names and pins itself when it begins."""

    def cpus():
        found = [cpus for name, cpus in server.threads() if re.fullmatch(r"weir-loop-\d+", name)]
        return (sorted(found),) if condition(sorted(found)) else None

    return eventually(cpus, "the threads of the loops are as expected")[0]


@pytest.mark.parametrize("loops", [1, 2, 4])
def test_each_loop_has_a_thread_and_all_connections_are_served(serve, loops):
    server = serve(WEIR_LOOPS=loops)
    wait_for_loop_cpus(server, lambda cpus: len(cpus) == loops)
    assert server.metric("weir_loops") == loops
    wires = [server.connect() for _ in range(64)]
    for wire in wires:
        wire.send(request("/async") + request("/blocking"))
    assert [(wire.reply().status, wire.reply().status) for wire in wires] == [(200, 200)] * 64
    assert server.metric("weir_connections_open") == 64
    for wire in wires:
        wire.close()


def test_pinned_loops_have_a_cpu_each(serve):
    allowed = sorted(os.sched_getaffinity(0))
    server = serve(WEIR_PIN="true", WEIR_LOOPS=len(allowed))
    wait_for_loop_cpus(server, lambda cpus: cpus == sorted(str(cpu) for cpu in allowed))
    with server.connect() as wire:
        assert wire.get().status == 200


def test_loops_are_not_pinned_by_default(serve):
    assert len(os.sched_getaffinity(0)) > 1, "one CPU cannot tell"
    server = serve(WEIR_LOOPS=2)
    with server.connect() as wire:
        assert wire.get().status == 200
    cpus = wait_for_loop_cpus(server, lambda cpus: len(cpus) == 2)
    assert cpus[0] == cpus[1] and not cpus[0].isdigit()


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0"])
def test_a_client_with_tcp_fast_open_is_served(serve, listen):
    server = serve(WEIR_LISTEN=listen, WEIR_FAST_OPEN=16)
    family, host = (socket.AF_INET6, "::1") if "::" in listen else (socket.AF_INET, "127.0.0.1")
    for _ in range(3):
        with socket.socket(family) as client:
            client.sendto(request(headers=["Connection: close"]), socket.MSG_FASTOPEN, (host, server.port))
            client.settimeout(10)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"Hello, world\n")


def test_small_answers_are_not_held_back(serve):
    server = serve()
    with server.connect() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Each step would wait 40 ms for a delayed acknowledgement.
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
        wire.socket.settimeout(5)
        for _ in range(100):
            wire.send(b"1\r\nx\r\n")
            wire.read_until(b"1\r\nx\r\n")
        wire.send(b"0\r\n\r\n")
        wire.read_until(b"0\r\n\r\n")
