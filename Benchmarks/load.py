# SPDX-License-Identifier: Apache-2.0
"""Load from wrk: one thread on a core of its own, 64 connections where nothing else is said."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from servers import Server
from tools import BenchmarkError, run

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 64
WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Plan:
    """How long, how often, and on which core each side runs."""

    rounds: int
    seconds: int
    server_core: int
    load_core: int


def send(
    server: Server,
    path: str,
    plan: Plan,
    depth: int = 1,
    headers: Sequence[str] = (),
    is_refused: bool = False,
    connections: int = CONNECTIONS,
    body_bytes: int = 0,
    secure_port: int | None = None,
    openssl_configuration: Path | None = None,
) -> int:
    """Loads `path` with `depth` requests at a time on each connection; gives how many requests were answered. With
    `body_bytes` they are POST and carry a body of that length, with `secure_port` they go there by TLS.

    Both servers close a connection after 1,000 requests and say so in the last response, so wrk opens the next one
    and counts no error. Any error, or an answer other than 2xx or 3xx, makes the run worthless. With `is_refused` an
    answer of that kind does.
    """
    counts = count(
        server, path, plan, depth, headers, connections, body_bytes, secure_port, openssl_configuration
    )
    errors = {kind: count for kind, count in counts["errors"].items() if count}
    if is_refused and errors.pop("status", 0) != counts["requests"]:
        raise BenchmarkError(f"{server.name} did not refuse all requests to {path}")
    if errors:
        raise BenchmarkError(f"wrk found errors of {server.name} on {path}: {errors}")
    return int(counts["requests"])


def count(
    server: Server,
    path: str,
    plan: Plan,
    depth: int = 1,
    headers: Sequence[str] = (),
    connections: int = CONNECTIONS,
    body_bytes: int = 0,
    secure_port: int | None = None,
    openssl_configuration: Path | None = None,
) -> dict[str, Any]:
    """As `send`, with all that wrk has counted (see `load.lua`), whatever it is."""
    pinned = ("taskset", "-c", str(plan.load_core))
    wrk = ("wrk", "-t1", f"-c{connections}", f"-d{plan.seconds}s", "-s", SCRIPT)
    fields = (word for header in headers for word in ("-H", header))
    url = f"https://127.0.0.1:{secure_port}{path}" if secure_port else server.url(path)
    environment = {"OPENSSL_CONF": str(openssl_configuration)} if openssl_configuration else None
    result = run(*pinned, *wrk, *fields, url, "--", str(depth), str(body_bytes), environment=environment)
    return json.loads(result.stdout.splitlines()[-1])


def warm_up(server: Server, path: str, plan: Plan, depth: int = 1) -> int:
    return send(server, path, replace(plan, seconds=WARM_UP_SECONDS), depth)
