# SPDX-License-Identifier: Apache-2.0
"""What Weir takes: memory for each idle connection, the size of its binary, the time until it answers."""

import contextlib
import resource
import select
import socket
import statistics
import time
from collections.abc import Callable

import servers
from report import Row
from servers import Server
from tools import BenchmarkError, Products

CONNECTIONS = 10_000
# Descriptors beside the connections: libraries, logs, listeners.
DESCRIPTORS_SPARE = 100
BYTES_PER_CONNECTION_MAX = 2_048
WARM_UP_CONNECTIONS = 64
SETTLE_SECONDS = 1.0
ANSWER_SECONDS_MAX = 10.0
REQUEST = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

BINARY_MEGABYTES_MAX = 25
STARTS = 10
START_MILLISECONDS_MAX = 50


def memory_per_connection(products: Products) -> Row:
    allow_descriptors(CONNECTIONS + DESCRIPTORS_SPARE)
    # Longer than this takes, so that no connection is closed for being idle.
    with servers.weir(products, {"WEIR_KEEPALIVE_TIMEOUT": "10m"}) as server:
        with contextlib.ExitStack() as warm_up:
            open_connections(server, WARM_UP_CONNECTIONS, warm_up)
        before = settled(server.resident_bytes)
        with contextlib.ExitStack() as stack:
            connections = open_connections(server, CONNECTIONS, stack)
            after = settled(server.resident_bytes)
            check_open(connections)
    bytes_each = (after - before) / CONNECTIONS
    return Row(
        work=f"memory per idle connection, {CONNECTIONS:,} open",
        measured=f"{bytes_each:,.0f} B",
        target=f"≤ {BYTES_PER_CONNECTION_MAX:,} B",
        weir=f"{before / 2**20:.1f} → {after / 2**20:.1f} MiB",
        passed=bytes_each <= BYTES_PER_CONNECTION_MAX,
    )


def allow_descriptors(needed: int) -> None:
    """The server inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchmarkError(f"{needed:,} open files are needed, the limit (ulimit -Hn) is {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_connections(server: Server, count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Each has had one request answered, and is idle from then on."""
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS_MAX))
        connection.sendall(REQUEST)
        read_answer(connection)
        connections.append(connection)
    return connections


def read_answer(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(servers.BODY):
        piece = connection.recv(4096)
        if not piece:
            raise BenchmarkError(f"the connection was closed after {answer!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise BenchmarkError(f"/hello was answered with {answer!r}")


def settled(memory: Callable[[], int]) -> int:
    time.sleep(SETTLE_SECONDS)
    return memory()


def check_open(connections: list[socket.socket]) -> None:
    """A server that had closed some would look as if it needed less."""
    poller = select.poll()
    for connection in connections:
        poller.register(connection, select.POLLIN)
    closed = len(poller.poll(0))
    if closed:
        raise BenchmarkError(f"{closed:,} of {len(connections):,} idle connections were closed by the server")


def binary_size(products: Products) -> Row:
    megabytes = products.hello.stat().st_size / 1e6
    return Row(
        work="release binary, Swift statically linked, stripped",
        measured=f"{megabytes:.1f} MB",
        target=f"≤ {BINARY_MEGABYTES_MAX} MB",
        passed=megabytes <= BINARY_MEGABYTES_MAX,
    )


def start_time(products: Products) -> Row:
    """From before the process is made, so with what it costs to make one."""
    times = [milliseconds_to_first_answer(products) for _ in range(STARTS)]
    median = statistics.median(times)
    return Row(
        work=f"start to first answer, {STARTS} starts",
        measured=f"{median:.1f} ms",
        target=f"≤ {START_MILLISECONDS_MAX} ms",
        spread=f"{min(times):.1f}–{max(times):.1f}",
        passed=median <= START_MILLISECONDS_MAX,
    )


def milliseconds_to_first_answer(products: Products) -> float:
    with servers.weir(products, {}) as server:
        return server.start_milliseconds
