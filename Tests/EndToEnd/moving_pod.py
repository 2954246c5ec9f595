# SPDX-License-Identifier: Apache-2.0
# The admin port of a pod whose values move in step with those that ask: by one, each time that all have taken what they
# were told. So whoever asks knows the present value or the one before it, however slow the machine is.

import json
import threading
import time

from upstream import answer

READING = dict.fromkeys([
    "utilization", "offered_load", "executing", "queued", "concurrency_limit", "queue_limit", "queued_peak",
    "oldest_seconds", "queue_seconds_total", "execution_seconds_total", "arrived_total", "rejected_total",
    "streams_active",
], 0)  # fmt: skip


class MovingPod:
    """Asked by `askers`. Its queue and its requests a second are constant while it runs, whatever moves."""

    QUEUED, A_SECOND = 5, 20

    def __init__(self, askers):
        self.askers, self.lock = askers, threading.Lock()
        self.present, self.is_moving, self.stood_at = 1, True, None
        # By connection: what was told last, and what was taken for certain, since somebody asks again.
        self.told, self.taken = {}, {}
        self.begin = time.monotonic()

    def stay(self):
        """Nothing moves any more."""
        with self.lock:
            self.is_moving = False

    def stand(self):
        """Nothing grows any more, either."""
        with self.lock:
            self.stood_at = time.monotonic()

    def __call__(self, peer):
        try:
            while True:
                peer.request()
                peer.send(answer(json.dumps(self._reading(peer.number)).encode()))
        finally:
            with self.lock:
                self.told.pop(peer.number, None)
                self.taken.pop(peer.number, None)

    def _reading(self, connection):
        with self.lock:
            if connection in self.told:
                self.taken[connection] = self.told[connection]
            have_all = list(self.taken.values()) == [self.present] * self.askers
            if self.is_moving and have_all:
                self.present += 1
            self.told[connection] = self.present
            seconds = (self.stood_at or time.monotonic()) - self.begin
            return READING | {
                "utilization": self.present / 8, "offered_load": self.present, "concurrency_limit": 8,
                "queue_limit": self.present, "queued": self.QUEUED, "queue_seconds_total": self.QUEUED * seconds,
                "arrived_total": self.A_SECOND * seconds,
            }  # fmt: skip
