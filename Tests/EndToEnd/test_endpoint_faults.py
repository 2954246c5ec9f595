# SPDX-License-Identifier: Apache-2.0
# Endpoints that die, stand still or fail while requests flow: what their clients see of it.

import concurrent.futures
import contextlib
import threading

from control import start
from upstream import answer, repeating
from wire import request

CLIENTS = 8


class Load:
    """Clients that ask one request after the other until they are told to stop."""

    def __init__(self, server):
        self.server = server
        self.statuses = []
        self.ends = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self.ask) for _ in range(CLIENTS)]

    def ask(self):
        with self.server.connect() as wire:
            while not self.ends.is_set():
                wire.send(request())
                self.statuses.append(wire.reply().status)

    def wait_for(self, count):
        """Until so many more have been answered."""
        end = len(self.statuses) + count
        while len(self.statuses) < end:
            for client in self.clients:
                if client.done():
                    client.result()
            threading.Event().wait(0.01)

    def stop(self):
        self.ends.set()
        for client in self.clients:
            client.result()
        self.pool.shutdown()
        return self.statuses


@contextlib.contextmanager
def load(server):
    running = Load(server)
    try:
        yield running
    finally:
        running.ends.set()
        running.pool.shutdown()


def test_of_three_endpoints_one_is_killed_and_no_get_fails(gateway, upstream_process):
    endpoints = [upstream_process() for _ in range(3)]
    server = gateway(*endpoints)
    with load(server) as running:
        running.wait_for(300)
        endpoints[1].kill()
        running.wait_for(600)
        assert set(running.stop()) == {200}


def test_of_three_endpoints_one_stands_still_and_fails_no_more_than_its_share_once(gateway, upstream_process):
    endpoints = [upstream_process() for _ in range(3)]
    server = gateway(*endpoints, WEIR_DEADLINE="1s")
    with load(server) as running:
        running.wait_for(300)
        endpoints[1].stop()
        # Each client can wait at it once, and one more may be there from before: then the others are preferred.
        running.wait_for(2000)
        failed = [status for status in running.stop() if status != 200]
    assert set(failed) <= {504}
    assert len(failed) <= 2 * CLIENTS
    assert failed, "a client has waited at it"
    endpoints[1].resume()


def test_an_endpoint_that_fails_beside_others_is_ejected(gateway, upstream, tmp_path):
    good = [upstream(), upstream()]
    bad = upstream(repeating(answer(b"no", status="502 Bad Gateway")))
    server = start(
        gateway,
        tmp_path,
        {"endpoints": [one.url for one in (*good, bad)], "balance": "round-robin", "ejection": {"time": "60s"}},
    )
    with server.connect() as wire:
        while not [message for message in server.messages if f"endpoint {bad.url} of upstream" in message]:
            assert wire.get().status in (200, 502)
        (message,) = [message for message in server.messages if f"endpoint {bad.url} of upstream" in message]
        assert message.endswith("is ejected")
        seen = len(bad.requests)
        assert {wire.get().status for _ in range(60)} == {200}
        assert len(bad.requests) == seen
    labels = f'{{upstream="orders",endpoint="{bad.url}"}}'
    assert server.metric("weir_upstream_endpoint_ejected" + labels) == 1
    assert server.metric("weir_upstream_endpoint_weight" + labels) == 0
    assert server.metric('weir_upstream_panicking{upstream="orders"}') == 0


def test_maglev_keeps_a_cookie_with_its_endpoint(gateway, upstream, tmp_path):
    endpoints = [upstream() for _ in range(3)]
    server = start(
        gateway,
        tmp_path,
        {"endpoints": [one.url for one in endpoints], "balance": "maglev", "hash": {"cookie": "session"}},
    )
    with server.connect() as wire:
        for _ in range(3):
            for session in range(24):
                wire.send(request(headers=[f"Cookie: theme=dark; session={session}; xsession=x"]))
                assert wire.reply().status == 200
    cookies = [[seen.header("cookie") for seen in one.requests] for one in endpoints]
    assert all(cookies), "each endpoint has some of them"
    assert all(one.count(cookie) == 3 for one in cookies for cookie in one)
