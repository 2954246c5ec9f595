#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How soon `WEIR_CONCURRENCY=auto` finds what a service can carry: the drill's service, which has 20 places, is offered
three times its capacity, and the limit is read twice a second.

Ends with 1 when the limit is not between 0.8 and 2 times the places from the 30th second on.
"""

import argparse
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import drill
import servers
from bench import executable, positive, two_cores
from tools import BUILD_FOLDER, BenchmarkError, Products, build

PLACES = 20
SETTLED_SECONDS_MAX = 30
BAND = (0.8 * PLACES, 2.0 * PLACES)
OFFER = 3
INTERVAL_SECONDS = 0.5
LIMIT = re.compile(rb'^weir_concurrency_limit\{pool="pod"\} (\S+)$', re.MULTILINE)
SETTINGS = {"WEIR_CONCURRENCY": "auto", "WEIR_DEADLINE": "1s"}


class LimitWatch:
    """Reads the limit again and again while its `with` block lasts."""

    def __init__(self, admin_port: int) -> None:
        self.samples: list[tuple[float, float]] = []
        self._port = admin_port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            _, text = drill.get(self._port, "/metrics")
            found = LIMIT.search(text)
            if found:
                self.samples.append((time.monotonic() - self._began, float(found[1])))


def settled_at(samples: list[tuple[float, float]]) -> float | None:
    """Since when all readings have been within the band; nothing if the last is not."""
    since = None
    for instant, limit in samples:
        if not BAND[0] <= limit <= BAND[1]:
            since = None
        elif since is None:
            since = instant
    return since


def settle(options: argparse.Namespace) -> bool:
    core, _ = two_cores()
    with tempfile.TemporaryDirectory(prefix="weir-settle-") as folder:
        given = {name: file for name, file in (("hello", options.service), ("weir", options.gateway)) if file}
        built = build([name for name in ("hello", "weir") if name not in given], options.build_folder, Path(folder))
        products = Products(built | given, Path(folder))
        with servers.weir(products, drill.DEMO_SETTINGS, core) as service:
            gateway = drill.weir(products, service.port, core, SETTINGS)
            with gateway.server as server, LimitWatch(gateway.admin_port or 0) as watch:
                found = drill.load(server, OFFER * drill.CAPACITY, options.seconds)
    share = found["served_in_time"] / options.seconds / drill.CAPACITY
    since = settled_at(watch.samples)
    late = [limit for instant, limit in watch.samples if instant >= SETTLED_SECONDS_MAX]
    print("seconds:limit " + " ".join(f"{instant:.0f}:{limit:.0f}" for instant, limit in watch.samples[::4]))
    print(f"within {BAND[0]:.0f} to {BAND[1]:.0f} since: {'never' if since is None else f'{since:.1f} s'}")
    if late:
        print(f"from {SETTLED_SECONDS_MAX} s on: {min(late):.0f} to {max(late):.0f}, mean {sum(late) / len(late):.1f}")
    print(f"served in time: {share:.1%} of the capacity, the climb from one place for each CPU included")
    return since is not None and since <= SETTLED_SECONDS_MAX


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=60, help="how long the load lasts (default: 60)")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    parser.add_argument("--service", type=executable, metavar="FILE", help="instead of the built product `hello`")
    try:
        return 0 if settle(parser.parse_args()) else 1
    except BenchmarkError as error:
        print(f"settle: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
