#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Weir beside nginx, HAProxy, Envoy, Go's net/http, fasthttp and Hummingbird 2, and prints a table of ratios.

Ends with 2 when a peer was not there or failed at something, or nothing could be measured. `scripts/setup peers`
fetches the peers. It needs two cores, 20,000 open files, and a machine that does nothing else meanwhile; `--quick` only
shows that everything works.
"""

import argparse
import resource
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

import paced
import peer_servers
import peer_table
import report
from bench import executable, positive, stop, two_cores
from load import Plan
from peer_servers import PEERS, Kit
from peer_works import WORKS, Failure, Row, Run
from tools import BUILD_FOLDER, BenchmarkError, Products, build, require

# For 10,000 connections. The same wherever it runs: some servers make tables of this size.
OPEN_FILES = 20_000


def limit_open_files() -> None:
    """The servers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise BenchmarkError(f"{OPEN_FILES:,} open files are needed, the limit (ulimit -Hn) is {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def prepare(options: argparse.Namespace, folder: Path, core: int) -> Kit:
    given = {name: file for name, file in (("hello", options.service), ("weir", options.gateway)) if file}
    built = build([name for name in ("hello", "weir") if name not in given], options.build_folder, folder)
    return peer_servers.gather(options.peers, Products(built | given, folder), core)


def measure(options: argparse.Namespace, run: Run) -> list[Row]:
    rows: list[Row] = []
    for number, name in enumerate(options.only, start=1):
        print(f"peers: {name}, {number} of {len(options.only)}, {time.strftime('%H:%M:%S')}", file=sys.stderr)
        work = WORKS[name]
        try:
            rows += work.measure(run)
        except Failure as error:
            run.failed(work.title, "all", error)
            rows.append(work.nothing(run))
    return rows


def compare(options: argparse.Namespace) -> bool:
    """Whether every peer was there and did everything that it has a part for."""
    require("cc", "nginx", "setpriv", "strip", "taskset", "wrk")
    if options.write:
        report.check_writable(options.write, "peers.py")
    server_core, load_core = two_cores()
    limit_open_files()
    with tempfile.TemporaryDirectory(prefix="weir-peers-") as name:
        folder = Path(name)
        # nginx's worker may be another user than the one that made the folder.
        folder.chmod(0o711)
        kit = prepare(options, folder, server_core)
        plan = Plan(options.rounds, options.seconds, server_core, load_core)
        run = Run(kit, plan, paced.compile_to(folder), options.peers)
        rows = measure(options, run)
        versions = peer_servers.versions(kit)
    whole = peer_table.text(rows, kit.missing, run.problems)
    print(whole)
    if options.write:
        command = shlex.join(["python3", "Benchmarks/peers.py", *sys.argv[1:]])
        peer_table.write(options.write, whole, rows, report.circumstances(command, versions))
    return not kit.missing and not run.problems


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=3, help="rounds of Weir and its peers (default: 3)")
    parser.add_argument("--seconds", type=positive, default=2, help="length of a round for each (default: 2)")
    parser.add_argument("--quick", action="store_true", help="1 round of 1 second")
    parser.add_argument("--only", nargs="+", choices=WORKS, metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="NAME", default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table between this file's marks, the figures beside it"
    )
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    parser.add_argument("--gateway", type=executable, metavar="FILE", help="instead of the built product `weir`")
    parser.add_argument("--service", type=executable, metavar="FILE", help="instead of the built product `hello`")
    options = parser.parse_args()
    if options.write and (options.only or set(options.peers) != set(PEERS)):
        parser.error("--write takes the whole table, not --only or --peers")
    if options.quick:
        options.rounds = options.seconds = 1
    options.only = options.only or list(WORKS)
    return options


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    try:
        return 0 if compare(options) else 2
    except BenchmarkError as error:
        print(f"peers: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("peers: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 2


if __name__ == "__main__":
    sys.exit(main())
