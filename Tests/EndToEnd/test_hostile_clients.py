# SPDX-License-Identifier: Apache-2.0
# A client as an attacker, where other files do not look: what it writes into logs, what it makes the gateway remember,
# and what it cannot say in another's name.

import json
import re
from pathlib import Path

import pytest

from polling import eventually
from server import IS_SANITIZED
from wire import request

# What would end a line, a string, a field of the log, or move a terminal's cursor.
WRITTEN = [
    "%0A{\"level\":\"error\",\"message\":\"forged\"}",
    "%0D%0Aforged",
    "%1B[2J%1B[1;31mforged",
    "\"forged\"=\"x\"",
    "%E2%80%A8forged",
    "%C0%8Aforged",
    "=forged; a=b",
]
BYTES = [b"\x80\xff\xfe", b"\xe2\x80\xa8", b'"\\', b"\x9b31m", b"\t"]


def access_lines(path, count):
    def lines():
        found = path.read_bytes().split(b"\n")[:-1]
        return found if len(found) >= count else None

    return eventually(lines, f"{count} lines")


def heads():
    for text in WRITTEN:
        text = text.replace('"', "%22").replace(" ", "%20")
        yield request(f"/a{text}?q={text}")
    for raw in BYTES:
        names = [b"User-Agent", b"Referer", b"X-Request-Id", b"X-Forwarded-For", b"traceparent"]
        yield b"\r\n".join([b"GET /b HTTP/1.1", b"Host: test", *(name + b": x" + raw for name in names), b"", b""])


@pytest.mark.parametrize("log", ["json", "text"])
def test_a_client_writes_no_line_of_its_own_into_the_access_log(gateway, upstream, tmp_path, log):
    path = tmp_path / "access.log"
    server = gateway(upstream(), WEIR_ACCESS_LOG=path, WEIR_LOG_FORMAT=log)
    sent = 0
    for head in heads():
        with server.connect() as wire:
            wire.send(head)
            wire.end()
            wire.read_to_end()
        sent += 1
    lines = access_lines(path, sent)
    assert len(lines) == sent
    for line in lines:
        assert not re.search(rb"[\x00-\x1f\x7f]", line), line
        line.decode("utf-8")
        if log == "json":
            entry = json.loads(line)
            assert entry.get("level") != "error" and "forged" not in entry
    assert not [line for line in server.log if "forged" in line]


def test_names_that_clients_make_up_make_no_series(gateway, upstream):
    server = gateway(upstream(), WEIR_RATE_LIMIT="100000/s;by=header:X-Key")
    with server.connect() as wire:
        wire.get()
        before = set(server.metrics())
        for number in range(200):
            fields = [f"X-Key: {number}", f"X-Made-Up-{number}: y"]
            wire.send(request(f"/made-up/{number}", "GET", fields, host=f"h{number}.test"))
            assert wire.reply().status == 200
        wire.send(request("/", "BREW"))
        wire.reply("GET")
        new = set(server.metrics()) - before
    assert not [name for name in new if re.search(r"made-up|\bh\d+\.test|BREW|X-Key", name)]
    assert len(new) < 20


def resident_bytes(server):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text(), re.M)[1]) << 10


def test_keys_that_clients_make_up_take_no_more_memory_than_there_is(gateway, upstream):
    """As many keys as there are requests: the table has the size that it had."""
    server = gateway(
        upstream(), WEIR_RATE_LIMIT="1/h;burst=1;by=header:X-Key", WEIR_RATE_LIMIT_TABLE="16KiB", WEIR_LOOPS=1,
        WEIR_KEEPALIVE_REQUESTS=1_000_000,
    )  # fmt: skip
    with server.connect() as wire:
        for number in range(2000):
            wire.send(request(headers=[f"X-Key: {number}"]))
            wire.reply()
        before = resident_bytes(server)
        for number in range(2000, 12000):
            wire.send(request(headers=[f"X-Key: {number}"]))
            wire.reply()
        assert IS_SANITIZED or resident_bytes(server) - before < 2 << 20
        metrics = server.metrics()
    keys = {name: value for name, value in metrics.items() if name.startswith("weir_rate_limit_keys")}
    assert keys and max(keys.values()) <= 1024, keys


def test_clients_that_never_end_their_heads_keep_nobody_out(gateway, upstream):
    """At the limit of connections the one that has stood still for the longest makes room."""
    server = gateway(upstream(), WEIR_CONNECTIONS=64, WEIR_LOOPS=1, WEIR_HEAD_TIMEOUT="1h")
    slow = []
    for _ in range(200):
        wire = server.connect()
        wire.send(b"GET / HTTP/1.1\r\nHost: test\r\nX-Slow:")
        slow.append(wire)
    for _ in range(5):
        with server.connect() as wire:
            assert wire.get().status == 200
    assert server.metric("weir_connections_shed_total") > 100
    for wire in slow:
        wire.close()


@pytest.mark.parametrize("name", [
    "Content-Length", "Transfer-Encoding", "Host", "Connection", "Authorization", "Cookie", "X-Forwarded-For",
    "Forwarded", "X-Real-IP", "X-Forwarded-Client-Cert", "X_Forwarded_For", "Range", "Expect",
])  # fmt: skip
def test_a_trailer_says_nothing_that_a_head_would(gateway, upstream, name):
    endpoint = upstream()
    server = gateway(endpoint)
    with server.connect() as wire:
        head = request("/", "POST", ["Transfer-Encoding: chunked", "Connection: close"])
        wire.send(head + f"5\r\nhello\r\n0\r\n{name}: forged\r\n\r\n".encode())
        wire.read_to_end()
    assert all(name.lower() not in [key.lower() for key, _ in seen.trailers] for seen in endpoint.requests)
