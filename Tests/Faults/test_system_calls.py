# SPDX-License-Identifier: Apache-2.0
# System calls that are short, interrupted, told to come again, or fail: in a gateway and in the service behind it, at
# the same time. What is cut into pieces arrives whole; what fails, fails honestly and ends with the fault.

import errno
import hashlib
import os
import ssl

import pytest

from asking import Crowd, Keeper, ask, open_to, read_answer
from polling import eventually
from server import GATEWAY
from steering import name_of
from uploads import BODY_BYTES, upload
from wire import request

pytestmark = pytest.mark.short
# In pieces of 1 to 4096 bytes, and every tenth call does nothing at first.
CUT = {"short": 0.3, "interrupted": 0.1, "again": 0.1}
PIECES = {
    "recvfrom": CUT, "sendto": CUT, "sendmsg": CUT, "read": CUT, "write": {"interrupted": 0.1},
    "pread64": {"interrupted": 0.1}, "accept4": {"interrupted": 0.1, "again": 0.1}, "connect": {"interrupted": 0.1},
    "epoll_wait": {"interrupted": 0.1}, "openat": {"interrupted": 0.1},
}  # fmt: skip
UPLOADS = 24


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "big.bin").write_bytes(os.urandom(8 << 20))
    return folder


class Pair:
    """A gateway and the service behind it, each with a layer of its own."""

    def __init__(self, start, layer, files, **settings):
        self.below, self.above = layer(), layer(GATEWAY)
        # New connections between the two are made all the while.
        self.service = start(
            HELLO_FILES=files, WEIR_LOOPS=1, WEIR_KEEPALIVE_REQUESTS=20, **self.below.environment
        )
        settings = {"WEIR_UPSTREAM": self.service.url, "WEIR_LOOPS": 2, **settings}
        self.gateway = start(GATEWAY, **settings, **self.above.environment)

    @property
    def address(self):
        return self.gateway.address

    def pids(self):
        return [server.process.poll() for server in (self.service, self.gateway)]

    def expect_well(self, count=200):
        """As ever, without faults."""
        assert self.pids() == [None, None]
        keeper = Keeper(self.address, expected=b"Hello, world\n")
        # What was kept from before may have been broken by a fault, and is not lost by another.
        assert {keeper() for _ in range(count)} == {200}
        keeper.close()
        assert self.gateway.ask_admin("/readyz")[0] == 200


# What is cut into pieces


def test_bodies_arrive_whole_in_pieces_and_after_interruptions(start, layer, files, figure):
    pair = Pair(start, layer, files, WEIR_ACCESS_LOG=files.parent / "access.log")
    expected = hashlib.sha256((files / "big.bin").read_bytes()).hexdigest()
    with pair.above.faults(**PIECES), pair.below.faults(**PIECES):
        seen = upload(pair.address, UPLOADS) + upload(pair.address, UPLOADS, is_chunked=True)
        for _ in range(4):
            status, body = ask(pair.address, "/files/big.bin")
            assert (status, hashlib.sha256(body).hexdigest()) == (200, expected)
        keeper = Keeper(pair.address, expected=b"Hello, world\n")
        assert {keeper() for _ in range(1000)} == {200}
        keeper.close()
    assert dict(seen) == {200: 2 * UPLOADS}
    counts = pair.above.counts()
    assert all(counts[call]["short"] > 100 for call in ("recvfrom", "sendto", "sendmsg"))
    # The file is read in pieces, too.
    assert pair.below.counts()["read"]["short"] > 20
    pair.expect_well()
    mib = (2 * UPLOADS * 2 * BODY_BYTES + 4 * (8 << 20)) >> 20
    both = [sum(layer.total(kind) for layer in (pair.above, pair.below)) for kind in ("short", "interrupted", "again")]
    figure(f"{mib} MiB whole in both processes with {both[0]} short calls, {both[1]} EINTR, {both[2]} EAGAIN")


def test_bodies_arrive_whole_over_tls(start, layer, authority, files, figure):
    certificate, key = authority.pair("shop", "shop.test")
    pair = Pair(
        start, layer, files, WEIR_LISTEN="tls://127.0.0.1:0", WEIR_TLS_CERT=certificate, WEIR_TLS_KEY=key
    )
    context = ssl.create_default_context(cafile=authority.file)
    content = (files / "big.bin").read_bytes()
    with pair.above.faults(**PIECES), pair.below.faults(**PIECES):
        for _ in range(3):
            assert ask(pair.address, "/files/big.bin", context=context) == (200, content)
        for _ in range(8):
            # The service sends back what it has: nobody may wait until all of it is taken.
            body = os.urandom(60_000)
            assert ask(pair.address, "/echo", "POST", body, context) == (200, body)
        keeper = Keeper(pair.address, expected=b"Hello, world\n", context=context)
        assert {keeper() for _ in range(300)} == {200}
        keeper.close()
    shorts = pair.above.total("short")
    assert shorts > 100
    figure(f"25 MiB whole over TLS with {shorts} short calls in the gateway")


# What fails


@pytest.mark.parametrize("call, error, share", [
    ("recvfrom", errno.ENOMEM, 0.05),
    ("sendto", errno.ENOBUFS, 0.05),
    ("sendmsg", errno.ENOBUFS, 0.05),
    ("accept4", errno.ENOMEM, 0.2),
    ("accept4", errno.ECONNABORTED, 0.2),
    ("connect", errno.ENOBUFS, 0.5),
    ("socket", errno.ENOBUFS, 0.5),
    ("epoll_ctl", errno.ENOMEM, 0.2),
    ("openat", errno.ENOMEM, 0.3),
    ("read", errno.EIO, 0.05),
    ("pthread_create", errno.EAGAIN, 1),
], ids=lambda value: name_of(value) if isinstance(value, int) and value > 1 else str(value))  # fmt: skip
def test_a_call_that_fails_costs_what_needed_it_and_nobody_else(start, layer, files, figure, call, error, share):
    pair = Pair(start, layer, files)
    content = (files / "big.bin").read_bytes()

    def download():
        with open_to(pair.address) as connection:
            connection.sendall(request("/files/big.bin", headers=["Connection: close"]))
            try:
                status, _, body, _ = read_answer(connection)
            except Exception:
                return "cut"
            return status if status != 200 or body == content else "wrong"

    def injected():
        layers = {"gateway": pair.above, "service": pair.below}
        return {kind: layer.counts().get(call, {}).get("failed", 0) for kind, layer in layers.items()}

    rule = {call: {"failed": share, "error": error}}
    with pair.above.faults(**rule), pair.below.faults(**rule), Crowd() as crowd:
        # Those that keep their connection, and those that make one for each request.
        crowd.add("kept", Keeper(pair.address, expected=b"Hello, world\n"))
        crowd.add("worker", Keeper(pair.address, "/blocking", b"Hello, world\n"))
        crowd.add("new", once(pair.address))
        crowd.add("download", download)
        crowd.wait_for(1000)
        crowd.wait_until(lambda: crowd.count("download") > 3, "some downloads have ended")
        # Some calls are few: one in twenty of them may take a while.
        crowd.wait_until(lambda: sum(injected().values()) > 0, "a call has failed")
        seen = crowd.stop()
    # Nothing that looks whole is not, and nobody waits for ever.
    assert {outcome for _, outcome in seen} <= {200, 500, 502, 503, 504, "ended", "cut"}
    assert sum(count for (_, outcome), count in seen.items() if outcome == 200) > 100
    pair.expect_well()
    metrics = pair.gateway.metrics()
    if call == "accept4":
        assert metrics["weir_accept_failures_total"] == injected()["gateway"] > 0
    # What failed has left nothing open.
    eventually(lambda: pair.gateway.metric("weir_connections_open") == 0, "all connections are gone")
    assert metrics["weir_requests_total"] > 0
    failed = {f"{name}: {outcome}": count for (name, outcome), count in sorted(seen.items(), key=str) if outcome != 200}
    served = sum(count for (_, outcome), count in seen.items() if outcome == 200)
    figure(f"{injected()} calls failed; 200: {served}; {failed or 'nothing else'}; then 200 of 200")


def once(address):
    """A connection for each request."""

    def act():
        keeper = Keeper(address, expected=b"Hello, world\n")
        outcome = keeper()
        keeper.close()
        return outcome

    return act
