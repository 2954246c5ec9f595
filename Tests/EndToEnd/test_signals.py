# SPDX-License-Identifier: Apache-2.0
# The signals of the real binary: parts that add up, integrals of what was there, and what they come from.

import json
import os
import re
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from admission import ONE_PLACE, Holder, pool, wait_for_pool
from polling import eventually
from test_admin import promtool
from wire import request

ROOM = {**ONE_PLACE, "WEIR_QUEUE": 16}
POD_SUMS = [
    "requests_executing", "requests_queued", "queue_seconds_total", "execution_seconds_total", "requests_arrived_total"
]


def route_sum(metrics, name, labels=""):
    return sum(value for key, value in metrics.items() if re.match(rf"weir_route_{name}\{{[^}}]*{labels}", key))


def expect_sums(metrics):
    """What routes say adds up to what the pod says, in this scrape."""
    for name in POD_SUMS:
        whole, parts = metrics[f'weir_{name}{{pool="pod"}}'], route_sum(metrics, name)
        assert abs(whole - parts) < 1e-6, (name, whole, parts)
    for name in ["queue_wait_seconds_count", "queue_wait_seconds_sum", "streams_active"]:
        assert abs(metrics[f"weir_{name}"] - route_sum(metrics, name)) < 1e-6, name
    reasons = re.findall(r'weir_rejected_total\{reason="(\w+)"\}', "\n".join(metrics))
    for reason in reasons:
        whole = metrics[f'weir_rejected_total{{reason="{reason}"}}']
        assert whole == route_sum(metrics, "rejected_total", f'reason="{reason}"'), reason


def test_routes_add_up_to_the_pod_in_every_scrape_under_load(serve):
    server = serve(WEIR_CONCURRENCY=2, WEIR_QUEUE=3, WEIR_LOOPS=2)
    over = threading.Event()

    def ask(target):
        while not over.is_set():
            with server.connect() as wire:
                for _ in range(20):
                    reply = wire.get(target)
                    assert reply.status in (200, 503)
                    if reply.closes:
                        break

    targets = ["/hello", "/async", "/blocking", "/sleep?ms=2", "/users/1/orders/2", "/async"]
    threads = [threading.Thread(target=ask, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    try:
        def scraped():
            metrics = server.metrics()
            expect_sums(metrics)
            return metrics if metrics["weir_queue_wait_seconds_count"] > 500 else None

        metrics = eventually(scraped, "many requests wait", 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    routes = set(re.findall(r'weir_route_requests_arrived_total\{pool="pod",http_route="([^"]*)"', "\n".join(metrics)))
    assert {"/hello", "/async", "/blocking", "/sleep"} <= routes
    wait_for_pool(server, executing=0, queued=0)
    metrics = server.metrics()
    expect_sums(metrics)
    assert promtool(server.ask_admin("/metrics")[1]) == (0, "")


def test_both_integrals_are_of_one_moment(serve):
    """While one runs and three wait throughout, the one grows three times as fast as the other, to the last digit."""
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.connect()).send(request("/hello"))
        wait_for_pool(server, executing=1, queued=3)
        before = server.metrics()
        running, waiting = (f'weir_{name}_seconds_total{{pool="pod"}}' for name in ("execution", "queue"))

        def later():
            metrics = server.metrics()
            return metrics if metrics[running] - before[running] > 1 else None

        after = eventually(later, "a second has passed")
        mean = (after[waiting] - before[waiting]) / (after[running] - before[running])
        assert abs(mean / 3 - 1) < 1e-6
    holder.end()


def test_the_mean_length_is_that_of_a_schedule_that_the_client_knows(serve):
    """Requests wait between instants that this client brackets; the integral lies within the brackets."""
    server = serve(**ROOM)
    holder = Holder(server)
    before = pool(server, "queue_seconds_total")
    least = most = 0.0
    for length in (4, 1, 7):
        with ExitStack() as stack:
            sent = time.monotonic()
            for _ in range(length):
                stack.enter_context(server.connect()).send(request("/hello"))
            wait_for_pool(server, executing=1, queued=length)
            all_wait = time.monotonic()
            eventually(lambda: time.monotonic() - all_wait > 0.3, "they have waited")
            leaving = time.monotonic()
        wait_for_pool(server, executing=1, queued=0)
        least += length * (leaving - all_wait)
        most += length * (time.monotonic() - sent)
    grown = pool(server, "queue_seconds_total") - before
    assert least <= grown <= most
    holder.end()


def test_a_burst_between_two_scrapes_is_in_the_peak(serve):
    server = serve(**ROOM)
    holder = Holder(server)
    assert pool(server, "requests_queued_peak") == 0
    with ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(server.connect()).send(request("/hello"))
        # Not by /metrics: nobody scrapes while it lasts.
        eventually(lambda: json.loads(server.ask_admin("/queue")[1])["queued"] == 9, "nine wait")
        time.sleep(0.2)
    eventually(lambda: json.loads(server.ask_admin("/queue")[1])["queued"] == 0, "nobody waits")
    metrics = server.metrics()
    assert metrics['weir_requests_queued{pool="pod"}'] == 0
    assert metrics['weir_requests_queued_peak{pool="pod"}'] == 9
    assert metrics['weir_route_requests_queued_peak{pool="pod",http_route="/hello"}'] == 9
    assert metrics['weir_queue_seconds_total{pool="pod"}'] >= 9 * 0.2
    holder.end()


def test_the_queue_page_says_what_the_metrics_say(serve):
    server = serve(**ONE_PLACE)
    holder = Holder(server)
    with server.connect() as wire:
        wire.send(request("/hello"))
        wait_for_pool(server, executing=1, queued=1)
        page = json.loads(server.ask_admin("/queue")[1])
        assert all(isinstance(value, (int, float)) for key, value in page.items() if key != "pools")
        assert (page["executing"], page["queued"], page["requests"], page["arrived_total"]) == (1, 1, 2, 2)
        assert (page["concurrency_limit"], page["queued_peak"], page["rejected_total"]) == (1, 1, 0)
        assert page["oldest_seconds"] > 0 and page["execution_seconds_total"] > 0
        holder.end()
        assert wire.reply().status == 200

    def answered():
        page = json.loads(server.ask_admin("/queue")[1])
        return page if page["http_server_request_duration_seconds_count"] == 2 else None

    page, metrics = eventually(answered, "both are answered"), server.metrics()
    assert page["queue_wait_seconds_count"] == metrics["weir_queue_wait_seconds_count"] == 1
    assert page["queue_wait_seconds_sum"] == pytest.approx(metrics["weir_queue_wait_seconds_sum"], abs=1e-9)
    for end in ["sum", "count"]:
        name = f"http_server_request_duration_seconds_{end}"
        whole = sum(value for key, value in metrics.items() if key.split("{")[0] == name)
        assert page[name] == pytest.approx(whole, abs=1e-9) and whole > 0
    for name, value in metrics.items():
        if name.startswith("weir_rejected_total{"):
            assert page[f"rejected_{name.split(chr(34))[1]}_total"] == value


STALL = "weir_pressure_seconds_total"


def own_group():
    """The folder of this process's group in v2; None where there is none, or where it is the root: the node."""
    paths = [line.strip()[3:] for line in Path("/proc/self/cgroup").open() if line.startswith("0::")]
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").open() if " - cgroup2 " in line]
    folder = Path(mounts[-1] + paths[0]) if paths and mounts else None
    return folder if folder and (folder / "cgroup.type").exists() else None


def stalls():
    """What the kernel says now, by the metric that it should be."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        own = own_group()
        files = [("cgroup", own / f"{resource}.pressure")] if own else []
        for scope, file in [*files, ("node", Path(f"/proc/pressure/{resource}"))]:
            try:
                lines = file.read_text().splitlines()
            except OSError:
                continue
            for line in lines:
                kind, *_, total = line.split()
                # Of a machine it is 0, and means nothing.
                if (resource, kind, scope) != ("cpu", "full", "node"):
                    labels = f'{{resource="{resource}",kind="{kind}",scope="{scope}"}}'
                    found[STALL + labels] = int(total.removeprefix("total=")) / 1e6
            break
    return found


def steal():
    tick = os.sysconf("SC_CLK_TCK")
    return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / tick


def test_what_the_kernel_counts_is_told_as_it_is_and_nothing_else(serve):
    server = serve()
    before, stolen = stalls(), steal()
    metrics = server.metrics()
    told = {key: value for key, value in metrics.items() if key.startswith(STALL)}
    after = stalls()
    assert set(told) == set(before)
    # Where the kernel has them (CONFIG_PSI, and not psi=0), they are there to be told. Where it has none, nothing is shown
    # here: test_pressure.py brings files of its own.
    assert bool(told) == Path("/proc/pressure").is_dir()
    assert all(before[key] <= told[key] <= after[key] for key in told), (before, told, after)
    assert stolen <= metrics["weir_cpu_steal_seconds_total"] <= steal()
    descriptors = os.listdir(f"/proc/{server.pid}/fd")
    # The scrape had a connection, and read files.
    assert abs(metrics["process_open_fds"] - len(descriptors)) <= 3
    limit = re.search(r"Max open files +(\d+)", Path(f"/proc/{server.pid}/limits").read_text())
    assert metrics["process_max_fds"] == int(limit[1])
