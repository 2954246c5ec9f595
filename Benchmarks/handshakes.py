# SPDX-License-Identifier: Apache-2.0
"""CPU time for a TLS handshake beside nginx, whole and resumed, and for a request on a connection that is kept: the
same client on a core of its own, in turns. And what an idle connection takes.

Each connection has one request behind its handshake, because a client of TLS 1.3 has its ticket only then. Whole
handshakes come one after the other from a client that ends each connection. wrk, which has no other, resumes what it
had: with 16 connections at once, which it asks the server to end, so that the server does not wait between them.
"""

import contextlib
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import footprint
import load
import servers
import turns
from load import Plan
from report import Row
from servers import Server
from tools import BenchmarkError, Products, run
from turns import Side

NGINX_CONFIGURATION = """\
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{secure_port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ecdh_curve X25519;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        location / {{ return 200 "Hello, world\\n"; }}
        location ~ ^/resumed/(?<version>.+)$ {{
            set $handshake "$ssl_session_reused $ssl_protocol";
            if ($handshake = "r $version") {{ return 404; }}
            return 200;
        }}
    }}
"""

# For wrk, which has no option for it.
OPENSSL_CONFIGURATION = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = versions
[versions]
MinProtocol = {version}
MaxProtocol = {version}
"""

REQUEST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
TURN_SECONDS = 1.0
RESUMED_CONNECTIONS = 16
PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Kind:
    work: str
    version: ssl.TLSVersion
    is_resumed: bool
    ratio_max: float


# As many handshakes for each second of CPU as 0.95 of nginx's, and as many resumed ones.
KINDS = (
    Kind("TLS 1.3 handshake, P-256", ssl.TLSVersion.TLSv1_3, False, 1 / 0.95),
    Kind("TLS 1.3 handshake, resumed", ssl.TLSVersion.TLSv1_3, True, 1.0),
    Kind("TLS 1.2 handshake, P-256", ssl.TLSVersion.TLSv1_2, False, 1 / 0.95),
    Kind("TLS 1.2 handshake, resumed", ssl.TLSVersion.TLSv1_2, True, 1.0),
)


KEPT_WORK = "TLS 1.3, requests on kept connections"
KEPT_RATIO_MAX = 0.95
IDLE_CONNECTIONS = 2_000
IDLE_KIBIBYTES_MAX = 20


def compare(products: Products, plan: Plan) -> list[Row]:
    certificate, key = make_pair(products.folder)
    ports = servers.free_port(), servers.free_port()
    admin_port = servers.free_port()
    settings = {
        "WEIR_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "WEIR_LISTEN": f"127.0.0.1:{(plain := servers.free_port())},tls://127.0.0.1:{ports[0]}",
        "WEIR_TLS_CERT": str(certificate),
        "WEIR_TLS_KEY": str(key),
    }
    weir = servers.weir(products, settings, plan.server_core)
    weir.port = plain
    nginx = servers.nginx_with(
        "nginx", NGINX_CONFIGURATION, products, plan.server_core,
        secure_port=ports[1], certificate=certificate, key=key,
    )  # fmt: skip
    os.sched_setaffinity(0, {plan.load_core})
    with weir, nginx:
        sides = [(weir, ports[0]), (nginx, ports[1])]
        # First, while the allocator has nothing left of other connections.
        idle = idle_memory(*sides[0])
        whole = [compare_whole(kind, sides, plan) for kind in KINDS if not kind.is_resumed]
        folder = products.folder
        resumed = [compare_resumed(kind, sides, admin_port, folder, plan) for kind in KINDS if kind.is_resumed]
        rows = [row for pair in zip(whole, resumed, strict=True) for row in pair]
        return [*rows, compare_kept(sides, plan), idle]


def compare_kept(sides: list[tuple[Server, int]], plan: Plan) -> Row:
    works = [Side(server, requests(server, port, plan)) for server, port in sides]
    for side in works:
        side.work()
    ours, theirs = turns.microseconds(KEPT_WORK, works, plan)
    return turns.cpu_beside("nginx", KEPT_WORK, ours, theirs, KEPT_RATIO_MAX)


def requests(server: Server, port: int, plan: Plan) -> Callable[[], int]:
    """Small requests by wrk for a turn; gives how many there were."""
    turn = replace(plan, seconds=1)
    return lambda: load.send(server, "/hello", turn, secure_port=port)


def idle_memory(server: Server, port: int) -> Row:
    """Of connections that have had one request each."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    footprint.allow_descriptors(IDLE_CONNECTIONS + footprint.DESCRIPTORS_SPARE)
    before = footprint.settled(server.resident_bytes)
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(REQUEST)
            footprint.read_answer(connection)
        after = footprint.settled(server.resident_bytes)
    kibibytes = (after - before) / IDLE_CONNECTIONS / 1024
    return Row(
        work=f"TLS, memory per idle connection, {IDLE_CONNECTIONS:,} open",
        measured=f"{kibibytes:.1f} KiB",
        target=f"≤ {IDLE_KIBIBYTES_MAX} KiB",
        weir=f"{before / 2**20:.1f} → {after / 2**20:.1f} MiB",
        passed=kibibytes <= IDLE_KIBIBYTES_MAX,
    )


def make_pair(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-days", "2",
    )  # fmt: skip
    return certificate, key


def compare_resumed(
    kind: Kind, sides: list[tuple[Server, int]], admin_port: int, folder: Path, plan: Plan
) -> Row:
    configuration = folder / f"{kind.version.name}.cnf"
    # As OpenSSL and nginx write it: TLSv1.3.
    version = kind.version.name.replace("_", ".")
    configuration.write_text(OPENSSL_CONFIGURATION.format(version=version))
    check_resumed(version, sides, admin_port, configuration, plan)
    works = [Side(server, resumptions(server, port, configuration, plan)) for server, port in sides]
    for side in works:
        side.work()
    ours, theirs = turns.microseconds(kind.work, works, plan)
    return turns.cpu_beside("nginx", kind.work, ours, theirs, kind.ratio_max)


def resumptions(server: Server, port: int, configuration: Path, plan: Plan) -> Callable[[], int]:
    """Connections with a request each, by wrk for a turn; gives how many there were."""
    turn = replace(plan, seconds=1)
    return lambda: load.send(server, "/hello", turn, **resuming(port, configuration))


def resuming(port: int, configuration: Path) -> dict[str, Any]:
    return {
        "headers": ("Connection: close",), "connections": RESUMED_CONNECTIONS, "secure_port": port,
        "openssl_configuration": configuration,
    }  # fmt: skip


def check_resumed(
    version: str, sides: list[tuple[Server, int]], admin_port: int, configuration: Path, plan: Plan
) -> None:
    """wrk has made one whole handshake for each of its connections, all others by `version` and resumed: else the
    figures are of something else."""
    (weir, weir_port), (nginx, nginx_port) = sides
    turn = replace(plan, seconds=1)
    before = whole_handshakes(admin_port)
    load.send(weir, "/hello", turn, **resuming(weir_port, configuration))
    ours = whole_handshakes(admin_port) - before
    counts = load.count(nginx, f"/resumed/{version}", turn, **resuming(nginx_port, configuration))
    theirs = counts["requests"] - counts["errors"]["status"]
    for server, whole in ((weir, ours), (nginx, theirs)):
        if not 1 <= whole <= RESUMED_CONNECTIONS:
            connections = f"of wrk's {RESUMED_CONNECTIONS} connections"
            raise BenchmarkError(f"{server.name}: {whole} handshakes {connections} were whole, or not {version}")


def whole_handshakes(admin_port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    name = 'weir_tls_handshakes_total{resumed="false"} '
    return int(next(line for line in lines if line.startswith(name)).removeprefix(name))


def compare_whole(kind: Kind, sides: list[tuple[Server, int]], plan: Plan) -> Row:
    works = [Side(server, client(kind.version, port)) for server, port in sides]
    for side in works:
        side.work()
    ours, theirs = turns.microseconds(kind.work, works, plan)
    return turns.cpu_beside("nginx", kind.work, ours, theirs, kind.ratio_max)


def client(version: ssl.TLSVersion, port: int) -> Callable[[], int]:
    """One connection after the other for a turn; gives how many there were."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    # nginx ends without a word (close_notify) where a client has sent none.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF

    def connect() -> None:
        plain = socket.create_connection(("127.0.0.1", port))
        # A request behind the client's last message would wait 40 ms for the kernel's acknowledgement of that.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(REQUEST)
            answer = b""
            while not answer.endswith(servers.BODY):
                answer += connection.recv(PIECE_BYTES)

    def turn() -> int:
        count, end = 0, time.monotonic() + TURN_SECONDS
        while time.monotonic() < end:
            connect()
            count += 1
        return count

    return turn
