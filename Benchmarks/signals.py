#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How exact the signals are, and how soon the admin port answers while the service is offered ten times its capacity.

The gateway holds one request, and others wait behind it: three throughout, then ten for 200 ms once a second, for a time
that this client knows from its own clock. What `weir_queue_seconds_total` grew by, over that, is the error. Then the drill's
service is overloaded (k6), and the admin port is asked for /metrics, /queue and the probes, each on a connection of its own,
from first to last byte.

Ends with 1 when a target is missed, with 2 when something could not be measured. It needs two cores and a machine that
does nothing else meanwhile.
"""

import argparse
import http.client
import itertools
import re
import socket
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import drill
import servers
from bench import executable, positive, two_cores
from tools import BUILD_FOLDER, BenchmarkError, Products, build

ERROR_MAX = 0.001
ANSWER_SECONDS_MAX = 0.05

OFFER = 10
PAGES = ("/metrics", "/queue", "/livez", "/readyz")
PAUSE_SECONDS = 0.01

STEADY_COUNT = 3
BURST_COUNT = 10
BURST_SECONDS = 0.2
SETTLING_SECONDS = 0.05
INTEGRAL = re.compile(rb'^weir_queue_seconds_total\{pool="pod"\} (\S+)$', re.MULTILINE)
PEAK = re.compile(rb'^weir_requests_queued_peak\{pool="pod"\} (\S+)$', re.MULTILINE)
# Nobody ends the request that sends no more of its body.
PATIENT = {"WEIR_BODY_TIMEOUT": "1h", "WEIR_BODY_RATE_MIN": "0", "WEIR_WRITE_TIMEOUT": "1h"}
# One place and a request that keeps it, so that all others wait for as long as they stay.
ONE_PLACE = {
    "WEIR_CONCURRENCY": "1",
    "WEIR_QUEUE": "64",
    "WEIR_DEADLINE": "1h",
    "WEIR_UPSTREAM_TRANSFER_TIMEOUT": "1h",
    **PATIENT,
}
HOLDING = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n"
WAITING = b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"


def timed(admin_port: int) -> tuple[float, float]:
    """The integral, and when it was read: in the middle between question and answer."""
    asked = time.monotonic()
    integral = sample(admin_port, INTEGRAL)
    return integral, (asked + time.monotonic()) / 2


def steady_error(gateway: drill.Gateway, interval: int) -> float:
    """The relative error of the mean length between two scrapes while as many wait throughout."""
    assert gateway.admin_port is not None
    clients = [socket.create_connection(("127.0.0.1", gateway.server.port)) for _ in range(STEADY_COUNT)]
    for client in clients:
        client.sendall(WAITING)
    time.sleep(1)
    before, began = timed(gateway.admin_port)
    time.sleep(interval)
    after, ended = timed(gateway.admin_port)
    for client in clients:
        client.close()
    time.sleep(1)
    return (after - before) / (ended - began) / STEADY_COUNT - 1


def burst(port: int, seconds: float) -> float:
    """Requests wait for so long, and their clients leave; gives the time for which all together waited."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(BURST_COUNT)]
    # Until the gateway has taken them: a request is read sooner than a connection is accepted.
    time.sleep(SETTLING_SECONDS)
    begun = []
    for client in clients:
        client.sendall(WAITING)
        begun.append(time.monotonic())
    time.sleep(seconds)
    waited = 0.0
    for client, began in zip(clients, begun, strict=True):
        client.close()
        waited += time.monotonic() - began
    return waited


def sample(admin_port: int, pattern: re.Pattern[bytes]) -> float:
    found = pattern.search(drill.get(admin_port, "/metrics")[1])
    if not found:
        raise BenchmarkError(f"/metrics has no {pattern.pattern.decode()}")
    return float(found[1])


def mean_error(gateway: drill.Gateway, interval: int) -> tuple[float, float]:
    """The relative error of the mean length between two scrapes, and the peak that the second one shows."""
    port, admin_port = gateway.server.port, gateway.admin_port
    assert admin_port is not None
    start = time.monotonic()
    before = sample(admin_port, INTEGRAL)
    waited = 0.0
    for second in range(interval):
        time.sleep(max(0.0, start + second + 0.1 - time.monotonic()))
        waited += burst(port, BURST_SECONDS)
    time.sleep(max(0.0, start + interval - time.monotonic()))
    measured = sample(admin_port, INTEGRAL) - before
    return measured / waited - 1, sample(admin_port, PEAK)


@dataclass(frozen=True)
class MeanErrors:
    """Of one interval between scrapes."""

    steady: float
    bursts: float
    # What the metrics show of the bursts.
    peak: float


def measure_errors(products: Products, intervals: list[int], core: int) -> dict[int, MeanErrors]:
    with servers.weir(products, {**drill.DEMO_SETTINGS, **PATIENT}, core) as service:
        gateway = drill.weir(products, service.port, core, ONE_PLACE)
        with gateway.server as server, socket.create_connection(("127.0.0.1", server.port)) as holder:
            holder.sendall(HOLDING)
            if not holder.recv(1 << 16).startswith(b"HTTP/1.1 200 "):
                raise BenchmarkError("nobody holds the place")
            errors = {}
            for interval in intervals:
                steady = steady_error(gateway, interval)
                errors[interval] = MeanErrors(steady, *mean_error(gateway, interval))
            return errors


class AdminProbe(drill.Probe):
    """Asks the pages in turn; remembers how long each answer took."""

    def __init__(self, port: int) -> None:
        super().__init__(PAUSE_SECONDS)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.refusals = 0
        self._port = port
        self._pages = itertools.cycle(PAGES)

    def ask(self) -> None:
        page = next(self._pages)
        began = time.monotonic()
        try:
            status, _ = drill.get(self._port, page)
        except (OSError, http.client.HTTPException):
            status = 0
        self.seconds[page].append(time.monotonic() - began)
        if status != 200:
            self.refusals += 1


def measure_answers(products: Products, seconds: int, core: int) -> AdminProbe:
    with servers.weir(products, drill.DEMO_SETTINGS, core) as service:
        gateway = drill.weir(products, service.port, core)
        with gateway.server as server:
            assert gateway.admin_port is not None
            drill.load(server, drill.CAPACITY // 2, drill.WARM_UP_SECONDS)
            with AdminProbe(gateway.admin_port) as probe:
                found = drill.load(server, OFFER * drill.CAPACITY, seconds)
    if found["dropped"] > 0:
        raise BenchmarkError(f"k6 did not keep up: {found['dropped']} requests were not sent")
    return probe


def report_errors(errors: dict[int, MeanErrors]) -> list[str]:
    missed = []
    for interval, found in errors.items():
        print(f"| the gateway, {STEADY_COUNT} that wait throughout | {interval} s | {found.steady:+.4%} |")
        print(f"| the gateway, {BURST_COUNT} for 200 ms each second | {interval} s | {found.bursts:+.4%} |")
        for error in (found.steady, found.bursts):
            if abs(error) > ERROR_MAX:
                missed.append(f"the mean over {interval} s is off by {error:.3%}, not {ERROR_MAX:.1%}")
        if found.peak != BURST_COUNT:
            missed.append(f"the peak after {interval} s is {found.peak:g}, not {BURST_COUNT}")
    return missed


def report_answers(probe: AdminProbe) -> list[str]:
    missed = [f"{probe.refusals} answers were none, or not 200"] if probe.refusals else []
    for page, times in sorted(probe.seconds.items()):
        p99 = statistics.quantiles(times, n=100)[98]
        cells = (f"{1000 * time:.1f} ms" for time in (statistics.median(times), p99, max(times)))
        print(f"| `{page}` | {len(times)} | " + " | ".join(cells) + " |")
        if max(times) > ANSWER_SECONDS_MAX:
            missed.append(f"{page} took {1000 * max(times):.1f} ms")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=20, help="length of the overload (default: 20)")
    parser.add_argument("--intervals", type=positive, nargs="*", default=[1, 15, 60], help="between two scrapes, seconds")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    parser.add_argument("--service", type=executable, metavar="FILE", help="instead of the built product `hello`")
    options = parser.parse_args()
    try:
        server_core, _ = two_cores()
        with tempfile.TemporaryDirectory(prefix="weir-signals-") as folder:
            given = {name: file for name, file in (("hello", options.service), ("weir", options.gateway)) if file}
            built = build([name for name in ("hello", "weir") if name not in given], options.build_folder, Path(folder))
            products = Products(built | given, Path(folder))
            missed = report_errors(measure_errors(products, options.intervals, server_core))
            missed += report_answers(measure_answers(products, options.seconds, server_core))
    except BenchmarkError as error:
        print(f"signals: {error}", file=sys.stderr)
        return 2
    for miss in missed:
        print(f"signals: FAIL: {miss}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
