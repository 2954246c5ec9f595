# SPDX-License-Identifier: Apache-2.0
# Files are served whole, and nothing outside their root can be reached.

import hashlib
import socket

import pytest

from polling import eventually
from wire import request

ESCAPES = [
    "/files/../secret.txt",
    "/files/./../secret.txt",
    "/files/folder/../../secret.txt",
    "/files//../secret.txt",
    "/files/folder//../../secret.txt",
    "/files/%2e%2e/secret.txt",
    "/files/%2E%2E/secret.txt",
    "/files/.%2e/secret.txt",
    "/files/%2e./secret.txt",
    "/files/%2e%2e%2fsecret.txt",
    "/files/..%2fsecret.txt",
    "/files/..%2Fsecret.txt",
    "/files/..%5csecret.txt",
    "/files/%2e%2e%5Csecret.txt",
    "/files/..\\secret.txt",
    "/files/%252e%252e/secret.txt",
    "/files/%252e%252e%252fsecret.txt",
    "/files/folder/%2e%2e/%2e%2e/secret.txt",
    "/files/folder%2f..%2f..%2fsecret.txt",
    "/files/..;/secret.txt",
    "/files/%c0%ae%c0%ae/secret.txt",
    "/files/..%00/secret.txt",
    "/files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/files//etc/passwd",
    "/../files/../secret.txt",
    "//files/../secret.txt",
    "http://test/files/../secret.txt",
    "http://test/files/%2e%2e/secret.txt",
]


@pytest.mark.parametrize("target", ESCAPES)
def test_no_path_leads_out_of_the_root(server, target):
    with server.connect() as wire:
        reply = wire.get(target)
        assert reply.status in (400, 404)
        assert b"secret" not in reply.body.replace(b"secret.txt", b"") and b"root:" not in reply.body


@pytest.mark.parametrize("target", ["/files/..%2fsecret.txt", "/files/..%5csecret.txt", "/files/a%00b", "/files/%zz", "/files/%4", "/../hello"])
def test_a_path_that_two_readers_could_take_differently_is_answered_400(server, target):
    with server.connect() as wire:
        assert wire.get(target).status == 400


@pytest.mark.parametrize("target, body", [
    ("/files/inside.txt", b"inside"),
    ("/files/%69nside.txt", b"inside"),
    ("/files/folder/deeper.txt", b"deeper"),
    ("/files/folder/../inside.txt", b"inside"),
    ("/files/./folder/./deeper.txt", b"deeper"),
    ("/files/folder/%2e%2e/inside.txt", b"inside"),
    ("/files/blank%20and%20%C3%BC.txt", b"blank"),
    ("/files/100%25.txt", b"percent"),
    ("/files/empty.txt", b""),
])
def test_a_path_within_the_root_is_normalised_and_decoded_once(server, target, body):
    with server.connect() as wire:
        reply = wire.get(target)
        assert (reply.status, reply.body) == (200, body)


@pytest.mark.parametrize("target", ["/files/missing.txt", "/files/folder", "/files/folder/", "/files/", "/files/%2569nside.txt", "/files/inside.txt/more"])
def test_what_is_no_file_is_answered_404(server, target):
    with server.connect() as wire:
        reply = wire.get(target)
        assert reply.status == 404
        assert reply.header("content-type") == "application/problem+json"


def test_a_large_file_arrives_as_it_is(server, curl, files, tmp_path):
    curl("-o", str(tmp_path / "copy"), server.url + "/files/big.bin")
    copy, original = (tmp_path / "copy").read_bytes(), (files / "big.bin").read_bytes()
    assert hashlib.sha256(copy).digest() == hashlib.sha256(original).digest()


def test_large_files_can_be_pipelined_before_any_is_read(server, files):
    expected = hashlib.sha256((files / "big.bin").read_bytes()).digest()
    with server.connect() as wire:
        wire.send(request("/files/big.bin") * 4 + request("/users/the/orders/end"))
        for _ in range(4):
            assert hashlib.sha256(wire.reply().body).digest() == expected
        assert wire.reply().body == b"user the, order end\n"


def test_a_file_that_shrinks_while_it_is_sent_is_not_taken_for_whole(serve, tmp_path):
    path = tmp_path / "shrinking.bin"
    with open(path, "wb") as file:
        file.truncate(256 << 20)
    server = serve(HELLO_FILES=tmp_path)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(request("/files/shrinking.bin"))
        assert b"Content-Length: 268435456\r\n" in wire.read_until(b"\r\n\r\n")
        with open(path, "r+b") as file:
            file.truncate(1 << 20)
        received = len(wire.rest)
        while True:
            try:
                piece = wire.socket.recv(1 << 20)
            except ConnectionResetError:
                break
            if not piece:
                break
            received += len(piece)
    assert received < 256 << 20


def test_downloads_of_clients_that_shut_their_side_and_leave_are_let_go(serve, files):
    server = serve(WEIR_LOOPS=1, HELLO_FILES=files)
    before = server.metric("process_open_fds")
    for _ in range(10):
        with server.connect(receive_buffer=4096) as wire:
            wire.send(request("/files/huge.bin"))
            wire.read_until(b"\r\n\r\n")
            wire.socket.shutdown(socket.SHUT_WR)
            server.wait_for_metric('weir_requests_executing{pool="pod"}', 1)
        eventually(lambda: server.metric("weir_connections_open") == 0, "the connection is gone")
    eventually(lambda: server.metric("process_open_fds") <= before, "no file stays open")
