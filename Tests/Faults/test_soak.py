# SPDX-License-Identifier: Apache-2.0
# All kinds of traffic at once for as long as SOAK says, in seconds: what is held at the end is what was held early on.

import os
import ssl
import time

import pytest

from asking import Crowd, Keeper, ask, open_to
from measures import MIB, cpu_seconds, descriptors, resident, slope
from polling import eventually
from reloads import File, reload
from server import GATEWAY
from uploads import upload
from wire import request

SECONDS = float(os.environ.get("SOAK", "25"))
# Where each sample goes: seconds, bytes, descriptors.
SAMPLES = os.environ.get("SOAK_SAMPLES")
# What the allocator may take late: what is in use at once for the first time, and a snapshot that is freed late.
GROWTH_MAX = 6 * MIB
RELOAD_SECONDS = 2


def text(endpoints, turn):
    """Another deadline and other limits each time; the endpoints stay."""
    urls = ", ".join(one.url for one in endpoints)
    return f"""
        upstreams: {{hello: {{endpoints: [{urls}]}}, u{turn % 7}: {{endpoints: [{endpoints[0].url}]}}}}
        routes:
          - {{match: {{path: /turn{turn % 5}}}, upstream: u{turn % 7}}}
          - {{upstream: hello, deadline: {5 + turn % 5}s, limit: [{{rate: {10**6 + turn % 3}/s, by: client}}]}}
    """


class Traffic:
    """One of each kind of client."""

    def __init__(self, crowd, server, authority):
        plain, secure = (("127.0.0.1", server.port_of(address)) for address in server.listen)
        self.plain = plain
        context = ssl.create_default_context(cafile=authority.file)
        crowd.add("kept", Keeper(plain, expected=b"Hello, world\n"))
        crowd.add("kept, async", Keeper(plain, "/async", b"Hello, world\n"))
        crowd.add("kept, worker", Keeper(plain, "/blocking", b"Hello, world\n"))
        crowd.add("kept, TLS", Keeper(secure, expected=b"Hello, world\n", context=context))
        crowd.add("new", lambda: ask(plain)[0])
        crowd.add("new, TLS", lambda: ask(secure, context=context)[0])
        crowd.add("not found", lambda: ask(plain, "/nothing")[0])
        crowd.add("malformed", self.malformed)
        crowd.add("given up", self.give_up)
        crowd.add("uploads", self.upload)
        crowd.add("chunked uploads", lambda: self.upload(is_chunked=True))

    def upload(self, **how):
        seen = upload(self.plain, 2, **how)
        return 200 if seen[200] == 2 else str(dict(seen))

    def malformed(self):
        with open_to(self.plain) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost : none\r\n\r\n")
            return int(connection.recv(1 << 16).split(b" ")[1])

    def give_up(self):
        """In the middle of an upload."""
        with open_to(self.plain) as connection:
            connection.sendall(request("/echo", "POST", ["Content-Length: 100000"], b"x" * 5000))
        return "gone"


EXPECTED = {
    "kept": 200, "kept, async": 200, "kept, worker": 200, "kept, TLS": 200, "new": 200, "new, TLS": 200,
    "not found": 404, "malformed": 400, "given up": "gone", "uploads": 200, "chunked uploads": 200,
}  # fmt: skip


@pytest.mark.short
def test_memory_and_descriptors_stay_flat(start, authority, tmp_path, figure):
    # Connections grow old and are replaced, too.
    age = {"WEIR_CONNECTION_AGE": "20s"}
    endpoints = [start(WEIR_LOOPS=1, **age) for _ in range(2)]
    certificate, key = authority.pair("shop", "shop.test")
    file = File(tmp_path)
    file.write(text(endpoints, 0))
    server = start(
        GATEWAY, WEIR_UPSTREAM=None, WEIR_CONFIG=file.path, WEIR_LOOPS=2, WEIR_LISTEN="127.0.0.1:0,tls://127.0.0.1:0",
        WEIR_TLS_CERT=certificate, WEIR_TLS_KEY=key, WEIR_ACCESS_LOG="/dev/null", **age,
    )  # fmt: skip
    idle = descriptors(server)
    turns, samples, began = 0, [], time.monotonic()
    with Crowd(pause=0.005) as crowd:
        Traffic(crowd, server, authority)
        while (elapsed := time.monotonic() - began) < SECONDS:
            assert not crowd.failures, crowd.failures
            turns += 1
            file.write(text(endpoints, turns))
            status, outcome = reload(server)
            assert status == 200, outcome
            samples.append((elapsed, resident(server), descriptors(server)))
            if SAMPLES:
                with open(SAMPLES, "a") as file_of_samples:
                    print(*samples[-1], file=file_of_samples)
            crowd.ends.wait(RELOAD_SECONDS)
        seen = crowd.stop()
    used = cpu_seconds(server)
    wrong = {key: count for key, count in seen.items() if EXPECTED[key[0]] != key[1]}
    assert not wrong
    assert {name for name, _ in seen} == EXPECTED.keys()
    # Connections to endpoints are kept for a while, and each loop has one to each.
    eventually(lambda: descriptors(server) <= idle + 16, f"descriptors are {idle} again")
    late = samples[len(samples) // 3:]
    early, last = late[:len(late) // 4 + 1], late[-(len(late) // 4 + 1):]
    # It goes up and down by what is freed late: the least of a while is what is held.
    before, after = (min(memory for _, memory, _ in part) for part in (early, last))
    # Of the second half: what comes first is what is made once.
    per_hour = slope([(at, memory) for at, memory, _ in samples[len(samples) // 2:]]) * 3600
    figure(
        f"{SECONDS:g} s, {seen.total()} requests, {turns} reloads, {used:.1f} CPU s: resident "
        f"{before / MIB:.1f} -> {after / MIB:.1f} MiB (slope {per_hour / MIB:+.1f} MiB/h), descriptors at most "
        f"{max(count for *_, count in samples)}, at the end {descriptors(server)}, idle {idle}"
    )
    assert after - before < GROWTH_MAX, samples
