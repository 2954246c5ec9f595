# SPDX-License-Identifier: Apache-2.0
# TLS with clients: what curl, the openssl program and Python's ssl see, and what becomes of those who do it wrong.

import asyncio
import concurrent.futures
import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_websocket

from certificates import Authority, openssl
from polling import PATIENCE_SECONDS, eventually
from server import Server, run_to_failure
from upstream import answer
from wire import Wire, request

FAILURES = "weir_tls_handshake_failures_total"
RECORD_BYTES = 16 << 10


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.one = authority.pair("one", "one.test", "localhost")
    authority.two = authority.pair("two", "two.test", "*.two.test")
    return authority


def settings_of(*pairs, **settings):
    return {
        "WEIR_LISTEN": "tls://127.0.0.1:0,127.0.0.1:0",
        "WEIR_TLS_CERT": ",".join(str(certificate) for certificate, _ in pairs),
        "WEIR_TLS_KEY": ",".join(str(key) for _, key in pairs),
        **settings,
    }


@pytest.fixture(scope="module")
def secure(authority, files):
    """A service with two certificates; its first address speaks TLS, its second does not."""
    server = Server(settings_of(authority.one, authority.two, HELLO_FILES=files))
    yield server
    server.stop()


def context_of(authority):
    return ssl.create_default_context(cafile=authority.file)


class TLSWire:
    """A connection by Python's ssl."""

    def __init__(self, server, authority, host="one.test", context=None):
        plain = socket.create_connection(server.address, timeout=PATIENCE_SECONDS)
        self.socket = (context or context_of(authority)).wrap_socket(
            plain, server_hostname=host, suppress_ragged_eofs=False
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read_to_end(self):
        data = b""
        while piece := self.socket.recv(1 << 16):
            data += piece
        return data


def curl(server, authority, path, *arguments, host="one.test"):
    return subprocess.run(
        [
            "curl", "-sS", "--cacert", authority.file, "--resolve", f"{host}:{server.port}:127.0.0.1", *arguments,
            f"https://{host}:{server.port}{path}",
        ],
        capture_output=True, timeout=60,
    )  # fmt: skip


def s_client(server, *arguments):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *map(str, arguments)],
        input=b"", capture_output=True, timeout=60,
    )  # fmt: skip


# Memory


def test_uploads_go_on_where_memory_for_them_is_short(serve, authority):
    uploads, limit, size = 60, 1 << 20, 1 << 20
    server = serve(**settings_of(
        authority.one, WEIR_LOOPS=1, WEIR_CONNECTIONS=64, WEIR_BUFFER_MEMORY="1MiB", WEIR_SOCKET_BUFFER="16KiB"
    ))
    pattern, context, is_short, peak = bytes(range(251)) * (size // 251 + 2), context_of(authority), asyncio.Event(), 0

    async def upload(number):
        body = pattern[number:number + size]
        reader, writer = await asyncio.open_connection(*server.address, ssl=context, server_hostname="one.test")
        writer.write(request("/echo", "POST", [f"Content-Length: {size}", "Connection: close"]) + body)
        # Nobody reads before all is in use that is lent.
        await is_short.wait()
        head = await reader.readuntil(b"\r\n\r\n")
        echoed = await reader.readexactly(size)
        writer.close()
        return head.split(b" ")[1] == b"200" and echoed == body

    async def watch():
        nonlocal peak
        while True:
            held = await asyncio.to_thread(server.metric, "weir_buffer_bytes")
            peak = max(peak, held)
            if held >= limit / 4:
                is_short.set()

    async def all_of_them():
        watching = asyncio.create_task(watch())
        try:
            return await asyncio.wait_for(asyncio.gather(*map(upload, range(uploads))), 6 * PATIENCE_SECONDS)
        finally:
            watching.cancel()

    assert asyncio.run(all_of_them()) == [True] * uploads
    # Each holds a record besides: it is decrypted whole.
    assert limit / 4 <= peak <= limit + uploads * RECORD_BYTES
    eventually(lambda: server.metric("weir_buffer_bytes") == 0, "all is given back")


# Clients


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_verifies_and_is_answered(secure, authority, version):
    result = curl(secure, authority, "/hello", "--tls-max", version, "--tlsv" + version, "-w", "|%{http_version}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"Hello") and result.stdout.endswith(b"|1.1")


def test_several_requests_share_a_connection(secure, authority):
    result = subprocess.run(
        [
            "curl", "-sS", "--cacert", authority.file, "-w", "%{num_connects}\n", "-o", "/dev/null", "-o", "/dev/null",
            f"https://127.0.0.1:{secure.port}/", f"https://127.0.0.1:{secure.port}/",
        ],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert result.stdout.split() == [b"1", b"0"], result.stderr


def test_pipelined_requests_are_answered_in_their_order(secure, authority):
    with TLSWire(secure, authority) as wire:
        last = request(headers=["Connection: close"])
        wire.socket.sendall(request() * 20 + last)
        assert wire.read_to_end().count(b"HTTP/1.1 ") == 21


@pytest.mark.parametrize("size", [1, 16_384, 3_000_000])
def test_bodies_pass_whole_in_both_directions(secure, authority, tmp_path, size):
    body = tmp_path / "body"
    body.write_bytes(os.urandom(size))
    result = curl(secure, authority, "/echo", "--data-binary", f"@{body}")
    assert result.returncode == 0, result.stderr
    assert result.stdout == body.read_bytes()


def test_a_large_file_arrives_whole_however_slowly_it_is_read(secure, authority, files):
    with TLSWire(secure, authority) as wire:
        wire.socket.sendall(request("/files/big.bin", headers=["Connection: close"]))
        head, _, data = wire.socket.recv(1 << 16).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        # The window is full before the rest is read.
        eventually(lambda: secure.metric("weir_buffer_bytes") > 0, "output waits for the client")
        data += wire.read_to_end()
    assert data == (files / "big.bin").read_bytes()


def test_records_are_small_at_first_and_whole_later(secure, authority):
    incoming, outgoing, received = ssl.MemoryBIO(), ssl.MemoryBIO(), bytearray()
    client = context_of(authority).wrap_bio(incoming, outgoing, server_hostname="one.test")
    with secure.connect() as wire:

        def until_done(step):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    return step()
                wire.send(outgoing.read())
                data = wire.socket.recv(1 << 16)
                assert data
                received.extend(data)
                incoming.write(data)

        until_done(client.do_handshake)
        client.write(request("/files/big.bin"))
        received.clear()
        plain = 0
        while plain < 1_000_000:
            plain += len(until_done(lambda: client.read(1 << 16)))
    sizes, start = [], 0
    while start + 5 <= len(received):
        assert received[start] == 23
        sizes.append(int.from_bytes(received[start + 3 : start + 5], "big"))
        start += 5 + sizes[-1]
    # What is sealed has its kind and 16 bytes behind it. Tickets come first.
    small, whole = 1360 + 17, RECORD_BYTES + 17
    assert max(sizes[:10]) == small
    # As large as the buffers that they are made of.
    assert max(sizes) <= whole and sum(size > 16_000 for size in sizes) > 50


@pytest.mark.parametrize(
    ("host", "subject"),
    [("one.test", "one"), ("two.test", "two"), ("a.two.test", "two"), ("other.test", "one"), (None, "one")],
)
def test_the_certificate_is_the_one_for_the_host(secure, authority, host, subject):
    asked = ["-servername", host] if host else ["-noservername"]
    output = s_client(secure, "-CAfile", authority.file, *asked).stdout.decode()
    assert f"subject=CN = {subject}" in output
    assert "Verify return code: 0 (ok)" in output


def test_http_1_1_is_agreed_on_and_who_has_only_others_is_refused(secure):
    assert b"ALPN protocol: http/1.1" in s_client(secure, "-alpn", "h2,http/1.1").stdout
    assert b"no application protocol" in s_client(secure, "-alpn", "h2").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
    ],
)
def test_what_is_old_or_weak_is_refused(secure, arguments):
    result = s_client(secure, *arguments)
    assert b"Cipher is (NONE)" in result.stdout
    assert b"alert" in result.stderr


def test_tls_1_3_alone_if_so_set(serve, authority):
    server = serve(**settings_of(authority.one, WEIR_TLS_MIN="1.3"))
    assert b"Cipher is (NONE)" in s_client(server, "-tls1_2").stdout
    assert b"TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256" in s_client(server).stdout
    assert server.metric(f'{FAILURES}{{reason="version"}}') == 1


def test_a_client_cannot_renegotiate(secure):
    with subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", "-tls1_2", "-legacy_renegotiation"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as client:  # fmt: skip
        output, _ = client.communicate(b"R\n", timeout=60)
    assert b"no renegotiation" in output


def test_a_session_is_resumed(secure, authority):
    before = secure.metric('weir_tls_handshakes_total{resumed="true"}')
    with socket.create_connection(secure.address) as first:
        context = context_of(authority)
        with context.wrap_socket(first, server_hostname="one.test") as one:
            one.sendall(request())
            one.recv(1 << 16)
            kept = one.session
    with socket.create_connection(secure.address) as second:
        with context.wrap_socket(second, server_hostname="one.test", session=kept) as two:
            assert two.session_reused
            two.sendall(request())
            assert two.recv(1 << 16).startswith(b"HTTP/1.1 ")
    assert secure.metric('weir_tls_handshakes_total{resumed="true"}') == before + 1


# What the service knows of it


def test_endpoints_and_the_access_log_are_told_the_scheme(upstream, gateway, authority):
    endpoint = upstream()
    server = gateway(endpoint, **settings_of(authority.one))
    assert curl(server, authority, "/").returncode == 0
    (seen,) = endpoint.requests
    assert seen.values("x-forwarded-proto") == ["https"]
    assert seen.values("forwarded")[0].startswith("for=127.0.0.1;proto=https;host=")


@pytest.mark.parametrize(
    ("target", "host", "location"),
    [
        ("/hello?a=1&b=%20", "shop.test", "https://shop.test:8443/hello?a=1&b=%20"),
        ("/hello", "shop.test:8080", "https://shop.test:8443/hello"),
        ("/hello", "[::1]:8080", "https://[::1]:8443/hello"),
        ("/hello", "[::1]", "https://[::1]:8443/hello"),
        ("http://other.test/hello", "other.test", "https://other.test:8443/hello"),
    ],
)
def test_plain_requests_are_redirected_if_so_set(serve, target, host, location):
    server = serve(WEIR_TLS_REDIRECT=8443, WEIR_TRUSTED_PROXIES="10.0.0.0/8")
    with server.connect() as wire:
        for _ in range(2):
            reply = wire.get(target, host=host, headers=["X-Forwarded-Proto: https"])
            assert (reply.status, reply.values("location")) == (308, [location])


def test_what_came_by_https_is_not_redirected(serve, authority):
    server = serve(**settings_of(authority.one, WEIR_TLS_REDIRECT=443, WEIR_TRUSTED_PROXIES="loopback"))
    assert curl(server, authority, "/hello", "-w", "|%{http_code}").stdout.endswith(b"|200")
    with Wire(("127.0.0.1", Server.port_of(server.listen[1]))) as wire:
        assert wire.get(headers=["X-Forwarded-Proto: https"]).status == 200
        assert wire.get(headers=["X-Forwarded-Proto: http"]).values("location") == ["https://test/hello"]
    assert server.ask_admin("/readyz")[0] == 200


def test_answers_over_tls_tell_browsers_to_stay(upstream, gateway, authority):
    def script(peer):
        while True:
            peer.request()
            peer.send(answer(b"hello", headers=["Strict-Transport-Security: max-age=1"]))

    policy = "max-age=60; includeSubDomains"
    server = gateway(upstream(script), **settings_of(authority.one, WEIR_TLS_HSTS=policy))
    for _ in range(2):
        head = curl(server, authority, "/", "-i").stdout.decode().lower()
        assert head.count("strict-transport-security") == 1
        assert f"strict-transport-security: {policy.lower()}" in head
    assert policy in curl(server, authority, "/%00", "-i").stdout.decode()
    with Wire(("127.0.0.1", Server.port_of(server.listen[1]))) as wire:
        assert wire.get().values("strict-transport-security") == ["max-age=1"]


def test_handlers_answers_have_it_too(serve, authority):
    server = serve(**settings_of(authority.one, WEIR_TLS_HSTS="max-age=60", WEIR_RATE_LIMIT="1/h"))
    assert "Strict-Transport-Security: max-age=60\r\n" in curl(server, authority, "/hello", "-i").stdout.decode()
    limited = curl(server, authority, "/hello", "-i").stdout.decode()
    assert limited.startswith("HTTP/1.1 429 ") and "Strict-Transport-Security: max-age=60\r\n" in limited
    with Wire(("127.0.0.1", Server.port_of(server.listen[1]))) as wire:
        assert wire.get("/hello").values("strict-transport-security") == []


def test_the_access_log_says_https(weir, authority, tmp_path):
    log = tmp_path / "access.log"
    server = weir("demo", **settings_of(authority.one, WEIR_ACCESS_LOG=log))
    assert curl(server, authority, "/").returncode == 0
    line = json.loads(eventually(lambda: log.exists() and log.read_text(), "a line"))
    assert line["scheme"] == "https"


def test_websockets_pass_over_tls(gateway, authority):
    async def echo(peer):
        async for message in peer:
            await peer.send(message)

    async def talk():
        async with serve_websocket(echo, "127.0.0.1", 0) as endpoint:
            port = endpoint.sockets[0].getsockname()[1]
            # In this thread, whose end would be the gateway's.
            server = gateway(f"http://127.0.0.1:{port}", **settings_of(authority.one))
            url = f"wss://127.0.0.1:{server.port}/"
            async with connect(url, ssl=context_of(authority), server_hostname="one.test") as client:
                for size in (1, 100_000, 900_000):
                    message = os.urandom(size)
                    await client.send(message)
                    assert await client.recv() == message

    asyncio.run(talk())


def test_the_admin_port_speaks_tls_if_so_set(serve, authority):
    server = serve(
        quiet=True,
        **settings_of(authority.one, WEIR_ADMIN_LISTEN="tls://127.0.0.1:0,127.0.0.1:0"),
    )
    server._read_addresses(server.wait_for_line("serving"))
    result = subprocess.run(
        ["curl", "-sS", "--cacert", authority.file, f"https://127.0.0.1:{server.admin_port}/readyz"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


# Ends


def test_a_client_that_ends_is_answered_by_an_end(secure, authority):
    with TLSWire(secure, authority) as wire:
        wire.socket.sendall(request())
        assert wire.socket.recv(1 << 16)
        # Waits for the server's own close_notify.
        wire.socket.unwrap().close()


def test_the_last_answer_ends_with_a_close_notify(secure, authority):
    with TLSWire(secure, authority) as wire:
        wire.socket.sendall(request(headers=["Connection: close"]))
        # Without suppress_ragged_eofs an end that was not told would raise.
        assert wire.read_to_end().startswith(b"HTTP/1.1 ")


def test_a_drain_ends_idle_connections_in_good_order(serve, authority):
    server = serve(**settings_of(authority.one))
    with TLSWire(server, authority) as wire:
        wire.socket.sendall(request())
        assert wire.socket.recv(1 << 16)
        server.signal()
        assert wire.socket.recv(1 << 16) == b""
    assert server.wait() == 0


def test_a_drain_waits_for_no_handshake_that_stands_still(serve, authority):
    patient = {"WEIR_TLS_HANDSHAKE_TIMEOUT": "1h", "WEIR_DRAIN_TIMEOUT": "1h"}
    server = serve(**settings_of(authority.one, **patient))
    with server.connect() as silent, server.connect() as half:
        half.send(client_hello(authority)[:100])
        server.wait_for_metric("weir_connections_open", 2)
        server.signal()
        assert silent.read_to_end() == b"" and half.read_to_end() == b""
        assert server.wait() == 0


# What stays in memory


@pytest.mark.release
def test_no_text_of_a_private_key_stays_in_memory(weir, tmp_path):
    # Long enough that a part of it would outlive its memory's next use.
    certificate, key = tmp_path / "rsa.crt", tmp_path / "rsa.key"
    openssl(
        "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=a", "-days", 1
    )
    server = weir("demo", **settings_of((certificate, key)))
    lines = key.read_bytes().splitlines()[1:-1]
    assert len(lines) > 40 and not [line for line in lines if holds(server.pid, line)]
    # What is there is found.
    assert holds(server.pid, str(key).encode())


def holds(pid, text):
    """Whether a process has a text in its writable memory."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            place, access, *_ = line.split()
            if not access.startswith("rw"):
                continue
            start, end = (int(number, 16) for number in place.split("-"))
            memory.seek(start)
            with contextlib.suppress(OSError):
                if text in memory.read(end - start):
                    return True
    return False


# Abuse


def client_hello(authority):
    """The first bytes of a client's."""
    sent = ssl.MemoryBIO()
    client = context_of(authority).wrap_bio(ssl.MemoryBIO(), sent, server_hostname="one.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PATCH / HTTP/1.1\r\n\r\n", b"x"])
def test_plain_http_is_told_that_the_port_speaks_tls(secure, text):
    before = secure.metric(f'{FAILURES}{{reason="plain_http"}}')
    with secure.connect() as wire:
        wire.send(text)
        answer = wire.read_to_end()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert "TLS" in json.loads(body)["detail"]
    assert secure.metric(f'{FAILURES}{{reason="plain_http"}}') == before + 1


def test_garbage_costs_nobody_but_its_sender(secure, authority):
    for text in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + bytes(200), os.urandom(300), b"\0" * 64):
        with secure.connect() as wire:
            wire.send(b"\x16" + text)
            wire.end()
            wire.read_to_end()
    assert curl(secure, authority, "/").returncode == 0


def test_a_handshake_has_its_time(serve, authority):
    server = serve(**settings_of(authority.one, WEIR_TLS_HANDSHAKE_TIMEOUT="200ms"))
    with server.connect() as wire:
        assert wire.read_to_end() == b""
    assert server.metric('weir_timeouts_total{kind="handshake"}') == 1


def test_handshakes_that_stand_still_make_room(serve, authority):
    server = serve(
        descriptors=128,
        **settings_of(authority.one, WEIR_LOOPS=1, WEIR_CONNECTIONS=1000, WEIR_TLS_HANDSHAKE_TIMEOUT="1h"),
    )
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            # The beginning of a greeting, whose end never comes.
            stack.enter_context(server.connect()).send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        for _ in range(20):
            assert curl(server, authority, "/").returncode == 0
        assert server.metric("weir_connections_shed_total") > 80


def test_a_greeting_that_announces_too_much_is_refused(secure):
    before = secure.metric(f'{FAILURES}{{reason="malformed"}}')
    with secure.connect() as wire:
        wire.send(b"\x16\x03\x01\x40\x00\x01\x00\x40\x01")
        # An alert: illegal_parameter.
        assert wire.read_to_end() == b"\x15\x03\x03\x00\x02\x02\x2f"
    assert secure.metric(f'{FAILURES}{{reason="malformed"}}') == before + 1


def test_many_handshakes_at_once_are_all_done_in_turn(serve, authority):
    # None is given up, however slow the machine is.
    patient = {"WEIR_TLS_HANDSHAKE_TIMEOUT": "1m"}
    server = serve(**settings_of(authority.one, WEIR_TLS_HANDSHAKES=1, WEIR_LOOPS=1, **patient))

    def ask(_):
        with TLSWire(server, authority) as wire:
            wire.socket.sendall(request(headers=["Connection: close"]))
            return wire.read_to_end()[:13]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(ask, range(128))) == {b"HTTP/1.1 200 "}
    assert server.metric('weir_tls_handshakes_total{resumed="false"}') == 128


def test_connections_that_stand_are_served_while_handshakes_flood(serve, authority):
    delayed = "weir_tls_handshakes_delayed_total"
    server = serve(**settings_of(authority.one, WEIR_TLS_HANDSHAKES=1, WEIR_LOOPS=1))
    hello, is_over, flights = client_hello(authority), threading.Event(), [0]

    def flood():
        # It costs the server its part of each handshake, and the client next to nothing.
        while not is_over.is_set():
            with contextlib.ExitStack() as stack:
                wires = [stack.enter_context(server.connect()) for _ in range(50)]
                for wire in wires:
                    wire.send(hello)
                flights[0] += sum(bool(wire.socket.recv(1 << 16)) for wire in wires)

    with TLSWire(server, authority) as kept, concurrent.futures.ThreadPoolExecutor(2) as pool:
        floods = [pool.submit(flood) for _ in range(2)]
        try:
            for _ in range(20):
                # In the midst of it, each time anew.
                server.wait_for_metric(delayed, server.metric(delayed) + 1)
                for _ in range(10):
                    kept.socket.sendall(request())
                    assert kept.socket.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        finally:
            is_over.set()
        for one in floods:
            one.result()
    assert flights[0] >= 50
    assert server.metric('weir_timeouts_total{kind="handshake"}') == 0


# Settings


def refusal(**settings):
    code, lines = run_to_failure(settings)
    assert code == 78
    (line,) = lines
    return line


def test_a_wrong_pair_stops_the_start_and_says_which_file(authority, tmp_path):
    missing = tmp_path / "missing.crt"
    empty = tmp_path / "empty.crt"
    empty.write_text("")
    text = tmp_path / "text.crt"
    text.write_text("hello\n")
    old, old_key = authority.pair("old", "old.test", days=-1)
    (one, one_key), (_, two_key) = authority.one, authority.two
    for certificate, key, expected in [
        (missing, one_key, f"{missing}: No such file"),
        (empty, one_key, f"{empty}: empty"),
        (text, one_key, f"{text}: not PEM"),
        (one_key, one_key, f"{one_key}: no certificate in it"),
        (one, one, f"{one}: no private key in it"),
        (one, two_key, f"{two_key}: not the key of the first certificate in {one}"),
        (old, old_key, f"{old}: the certificate expired at 20"),
    ]:
        line = refusal(**settings_of((certificate, key)))
        assert "WEIR_TLS_CERT" in line
        assert expected in line


def test_a_name_with_a_line_break_leaves_the_refusal_one_line(authority, tmp_path):
    (one, one_key), odd = authority.one, tmp_path / "a\nb.crt"
    odd.write_text("text")
    for certificate, key in [(odd, one_key), (one, odd), (tmp_path / "none\nhere", one_key)]:
        assert "\\n" in refusal(**settings_of((certificate, key)))
    ticket = settings_of(authority.one, WEIR_TLS_TICKET_KEYS=odd)
    assert "a\\nb.crt: expected 80 random bytes" in refusal(**ticket)


def test_settings_that_do_not_fit_together_are_refused(authority):
    (certificate, key) = authority.one
    assert "as many keys" in refusal(WEIR_LISTEN="tls://:0", WEIR_TLS_CERT=certificate)
    assert "a certificate" in refusal(WEIR_LISTEN="tls://:0")
    assert "tls://:8443" in refusal(WEIR_TLS_CERT=certificate, WEIR_TLS_KEY=key)


def test_a_key_with_a_passphrase_is_told(authority, tmp_path):
    certificate, key = authority.one
    locked = tmp_path / "locked.key"
    openssl("pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:secret")
    assert "is encrypted" in refusal(**settings_of((certificate, locked)))
