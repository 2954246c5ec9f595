# SPDX-License-Identifier: Apache-2.0
# An endpoint that is quick at answering what is no response must not draw requests by that, as one that is quick at 502
# does not.

import threading

import pytest

from control import start
from load import ask
from upstream import answer


class Quick:
    """As slow as the others at first; then quick at being wrong."""

    def __init__(self, wrong):
        self.wrong, self.is_wrong = wrong, threading.Event()

    def __call__(self, peer):
        while True:
            peer.request()
            if self.is_wrong.is_set():
                return peer.send(self.wrong)
            self.is_wrong.wait(0.03)
            peer.send(answer())


@pytest.mark.parametrize("wrong", [
    answer(b"no", status="502 Bad Gateway", headers=["Connection: close"]),
    b"220 mail.example ESMTP\r\n\r\n",
], ids=["502", "nonsense"])  # fmt: skip
def test_what_is_quick_at_being_wrong_draws_no_requests(gateway, upstream, tmp_path, wrong):
    scripts = [Quick(wrong) for _ in range(3)]
    endpoints = [upstream(script) for script in scripts]
    urls = [one.url for one in endpoints]
    server = start(gateway, tmp_path, {"endpoints": urls, "balance": "least-latency", "ejection": "off"})
    ask(server, 200)
    scripts[2].is_wrong.set()
    before = len(endpoints[2].requests)
    assert ask(server, 600).total() >= 600
    assert len(endpoints[2].requests) - before < 600 / 3
