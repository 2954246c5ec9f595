# SPDX-License-Identifier: Apache-2.0
# The metrics that others build on: that each is there with its type, and what the age of the oldest and the utilization
# come to, as /metrics has them.

import re
import threading
import time
from contextlib import ExitStack

import pytest

from admission import ONE_PLACE, Holder, pool, wait_for_pool
from polling import eventually
from wire import request

POOL = 'pool="pod"'
REASONS = ["rate_limited", "queue_full", "deadline_exceeded", "deadline_unmeetable", "memory", "descriptors", "no_endpoint"]
DURATION = 'http_request_method="GET",http_route="/hello",http_response_status_code="200"'
# Each signal that is promised: its type, and the labels with which it is there.
SIGNALS = {
    "weir_requests_executing": ("gauge", [POOL]),
    "weir_requests_queued": ("gauge", [POOL]),
    "weir_concurrency_limit": ("gauge", [POOL]),
    "weir_queue_limit": ("gauge", [POOL]),
    "weir_queue_seconds_total": ("counter", [POOL]),
    "weir_execution_seconds_total": ("counter", [POOL]),
    "weir_requests_queued_peak": ("gauge", [POOL]),
    "weir_queue_oldest_seconds": ("gauge", [POOL]),
    "weir_queue_wait_seconds": ("histogram", [""]),
    "weir_utilization_ratio": ("gauge", [""]),
    "weir_streams_active": ("gauge", [""]),
    "weir_rejected_total": ("counter", [f'reason="{reason}"' for reason in REASONS]),
    "http_server_request_duration_seconds": ("histogram", [DURATION]),
}


@pytest.fixture(scope="module")
def page(server):
    with server.connect() as wire:
        assert wire.get("/hello").status == 200
    return server.ask_admin("/metrics")[1]


@pytest.mark.parametrize("name", SIGNALS)
def test_each_signal_is_there_with_its_type_and_help(page, name):
    kind, labels = SIGNALS[name]
    assert re.findall(rf"^# TYPE {name} (.*)$", page, re.M) == [kind]
    [said] = re.findall(rf"^# HELP {name} (.*)$", page, re.M)
    assert said.endswith(".")
    for label in labels:
        braces = f"{{{label}}}" if label else ""
        endings = ["_sum", "_count"] if kind == "histogram" else [""]
        for ending in endings:
            assert re.search(rf"^{re.escape(name + ending + braces)} [0-9.e+-]+$", page, re.M), (label, ending)
        if kind == "histogram":
            last = "{" + ",".join(filter(None, [label, 'le="+Inf"'])) + "}"
            assert re.search(rf"^{re.escape(name + '_bucket' + last)} \d+$", page, re.M), label


def test_the_age_of_the_oldest_is_the_time_since_it_came(serve):
    """Between what its client can say: it came after it was sent, and before it was seen to wait."""
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    assert pool(server, "queue_oldest_seconds") == 0

    with ExitStack() as stack:
        came = []
        for count in (1, 2):
            wire, sent = stack.enter_context(server.connect()), time.monotonic()
            wire.send(request("/hello"))
            wait_for_pool(server, executing=1, queued=count)
            came.append((wire, sent, time.monotonic()))
            eventually(lambda: pool(server, "queue_oldest_seconds") > 0.3 * count, "it waits")

        def expect_age_of(one):
            _, sent, seen = one
            before = time.monotonic()
            age = pool(server, "queue_oldest_seconds")
            assert before - seen <= age <= time.monotonic() - sent
            return age

        older = expect_age_of(came[0])
        # The next one is the oldest when it has gone.
        came[0][0].close()
        wait_for_pool(server, executing=1, queued=1)
        assert expect_age_of(came[1]) < older
    wait_for_pool(server, executing=1, queued=0)
    assert pool(server, "queue_oldest_seconds") == 0
    holder.end()


WINDOW_SECONDS = 2


class Callers:
    """Clients of which each asks for a request of 100 ms, one after the other."""

    def __init__(self, server, count):
        self.server, self.over = server, threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def _ask(self):
        while not self.over.is_set():
            with self.server.connect() as wire:
                while not self.over.is_set():
                    reply = wire.get("/sleep?ms=100")
                    if reply.status != 200:
                        # As a client does that is told to come again later.
                        self.over.wait(0.1)
                    if reply.closes:
                        break

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def offered(before, after):
    """The offered load between two scrapes, by its definition: arrivals × mean execution time / (time × limit)."""

    def grown(name):
        return after[name] - before[name]

    limit = after[f"weir_concurrency_limit{{{POOL}}}"]
    arrivals = grown(f"weir_requests_arrived_total{{{POOL}}}")
    served = arrivals - grown('weir_rejected_total{reason="queue_full"}')
    mean = grown(f"weir_execution_seconds_total{{{POOL}}}") / max(1, served)
    return arrivals * mean / (after["time"] - before["time"]) / limit


@pytest.mark.parametrize(
    "limit, callers, least, most",
    # Half of what it carries; all of it, and as much again that waits or is turned away.
    [(16, 8, 0.3, 0.7), (4, 12, 1.5, 4)],
    ids=["half full", "overloaded"],
)
def test_the_utilization_is_arrivals_times_what_one_takes_over_the_limit(serve, limit, callers, least, most):
    server = serve(
        WEIR_CONCURRENCY=limit, WEIR_QUEUE=1, WEIR_LOOPS=1, WEIR_SIGNAL_WINDOW=f"{WINDOW_SECONDS}s"
    )
    assert server.metric("weir_utilization_ratio") < 0.1

    def scrape():
        return {**server.metrics(), "time": time.monotonic()}

    def told_as_counted():
        before = scrape()
        eventually(lambda: time.monotonic() >= before["time"] + WINDOW_SECONDS, "a window has passed")
        after = scrape()
        told, counted = after["weir_utilization_ratio"], offered(before, after)
        print(f"told {told:.3f}, counted {counted:.3f}")
        return abs(told / counted - 1) < 0.1 and least < told < most

    with Callers(server, callers):
        eventually(told_as_counted, "the ratio is what the counters come to", 30)
        assert server.metric(f"weir_pool_utilization_ratio{{{POOL}}}") > least
    eventually(lambda: server.metric("weir_utilization_ratio") < 0.1, "what is over is out of the window", 30)
