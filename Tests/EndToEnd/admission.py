# SPDX-License-Identifier: Apache-2.0
# What a service has running and waiting, as /metrics shows it, and requests that hold a place for as long as they are
# wanted.

from polling import eventually
from wire import request

ONE_PLACE = {"WEIR_CONCURRENCY": 1, "WEIR_LOOPS": 1}


def pool(server, name, pool="pod"):
    return server.metric(f'weir_{name}{{pool="{pool}"}}')


def rejected(server, reason):
    return server.metric(f'weir_rejected_total{{reason="{reason}"}}')


def wait_for_pool(server, *, executing=None, queued=None):
    def reached():
        metrics = server.metrics()
        found = {name: metrics[f'weir_requests_{name}{{pool="pod"}}'] for name in ("executing", "queued")}
        return executing in (None, found["executing"]) and queued in (None, found["queued"])

    eventually(reached, f"{executing} execute and {queued} wait")


def expect_quiet(server):
    """Nothing runs, nothing waits, and the integral of what runs stands still."""
    wait_for_pool(server, executing=0, queued=0)
    total = pool(server, "execution_seconds_total")
    assert total == pool(server, "execution_seconds_total")
    metrics = server.metrics()
    ended = ("granted", "expired", "displaced")
    assert metrics['weir_queue_waited_total{pool="pod"}'] >= sum(
        metrics[f'weir_queue_{name}_total{{pool="pod"}}'] for name in ended
    )
    assert metrics["weir_streams_active"] == 0 and metrics["weir_tunnels_active"] == 0


class Holder:
    """A request that runs until it is told to end: its handler reads a body that goes on."""

    def __init__(self, server):
        self.wire = server.connect()
        self.wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"], b"2\r\nho\r\n"))
        # The handler runs: it has sent the first piece back.
        self.head = self.wire.read_until(b"\r\n\r\n2\r\nho\r\n")

    def end(self):
        self.wire.send(b"2\r\nld\r\n0\r\n\r\n")
        assert self.wire.read_until(b"0\r\n\r\n") == b"2\r\nld\r\n0\r\n\r\n"
        self.wire.close()
