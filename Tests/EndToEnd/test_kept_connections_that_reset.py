# SPDX-License-Identifier: Apache-2.0
# Kept connections on which an endpoint answers with a reset only: that each of them counts as merely stale must not use
# up the attempts of a request while there is another endpoint.

import threading

import pytest

from retries import in_order
from upstream import answer
from wire import request


class Turning:
    """Holds requests until all are there, so that as many connections are kept; from then on it resets each request."""

    def __init__(self, count):
        self.all_are_there = threading.Barrier(count)
        self.resets = threading.Event()

    def __call__(self, peer):
        while True:
            peer.request()
            if self.resets.is_set():
                return peer.reset()
            self.all_are_there.wait(10)
            peer.send(answer(b"first"))


@pytest.mark.parametrize("kept", [1, 2, 3, 8])
def test_kept_connections_that_reset_fail_no_get_while_another_endpoint_is_there(kept, gateway, upstream, tmp_path):
    turning = Turning(kept)
    first, second = upstream(turning), upstream()
    server = in_order(gateway, tmp_path, [first, second], {})
    wires = [server.connect() for _ in range(kept)]
    for wire in wires:
        wire.send(request())
    assert [wire.reply().body for wire in wires] == [b"first"] * kept
    turning.resets.set()
    reply = wires[0].get()
    assert (reply.status, reply.body) == (200, b"ok")
    assert len(second.requests) == 1
    for wire in wires:
        wire.close()
