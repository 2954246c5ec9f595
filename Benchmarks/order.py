# SPDX-License-Identifier: Apache-2.0
"""Writes Sources/startup.order: the functions that run at a start and in the first requests, for the linker.

The kernel maps 64 KiB around each page of a program that is run. The linker leaves functions in the order of the
libraries that they come from, so those that run are everywhere, and most of the program gets resident. Package.swift
has the linker put the ones named here side by side. It moves a section at once, often all functions of a source file,
so one name of each section is enough. A name that is gone does no harm, but what took its place is no longer among
them: `--check` says when too many are, or when the programs are not in this order.
"""

import argparse
import bisect
import http.client
import itertools
import re
import shlex
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import servers
from servers import Server
from tools import BUILD_FOLDER, REPOSITORY, BenchmarkError, Products, build, require, run

ORDER = REPOSITORY / "Sources/startup.order"
PRODUCTS = ("weir", "hello")
# What must still be there: of the names, this part. Of two that follow each other the linker puts the second behind the
# first, except where a section has several of them; without the order about two in three stand so.
PART_MIN = 0.9
SECTION = re.compile(r" *([0-9a-f]+) +[0-9a-f]+ +[0-9a-f]+ +\d+ {9}\S.*:\(\.text[^)]*\)$")
FUNCTION = re.compile(r"^fn=(?:\(\d+\) )?(.+?)(?:'\d+)?$", re.MULTILINE)
TEXT = frozenset("tTwW")

CONFIGURATION = """
upstreams: {{hello: {{endpoints: ["http://127.0.0.1:{port}"]}}}}
routes:
  - {{upstream: hello, deadline: 5s, limit: [{{rate: 1000000/s, by: client}}]}}
"""
# What is asked of the port, with what is to be answered, and of the admin port.
ASKED = {"/hello": 200, "/json": 200, "/async": 200, "/blocking": 200, "/nothing": 404}
ASKED_ADMIN = {"/livez": 200, "/readyz": 200, "/metrics": 200, "/queue": 200}
# Under valgrind everything takes some fifty times as long.
SECONDS_MAX = 120


def sections(product: str, folder: Path, build_folder: Path) -> list[int]:
    """Where each section of functions begins, from the linker's map: SwiftPM's own command, run once more."""
    (build_folder / "release" / product).unlink(missing_ok=True)
    flags = ["-c", "release", "--static-swift-stdlib", "--scratch-path", str(build_folder)]
    built = run("swift", "build", "-v", "--package-path", str(REPOSITORY), *flags, "--product", product)
    lines = [line for line in (built.stdout + built.stderr).splitlines() if " -emit-executable " in line]
    if len(lines) != 1:
        raise BenchmarkError(f"{product}: one command that links was expected, there are {len(lines)}")
    command = shlex.split(lines[0])
    command[command.index("-o") + 1] = str(folder / f"{product}.linked")
    linker_map = folder / f"{product}.map"
    run(*command, "-Xlinker", f"-Map={linker_map}")
    with linker_map.open(errors="replace") as file:
        return sorted(int(found[1], 16) for line in file if (found := SECTION.match(line)))


def functions(binary: Path) -> dict[str, int]:
    """The addresses of the functions whose names are theirs alone."""
    addresses: dict[str, set[int]] = defaultdict(set)
    for line in run("nm", binary).stdout.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in TEXT:
            addresses[fields[2]].add(int(fields[0], 16))
    return {name: next(iter(found)) for name, found in addresses.items() if len(found) == 1}


def executed(binary: Path, settings: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The functions that run from the start to the end of the drain, as callgrind names them."""
    profile = folder / f"{binary.name}.profile"
    valgrind = ["valgrind", "--tool=callgrind", "--demangle=no", "--compress-strings=no"]
    port, admin_port = servers.free_port(), servers.free_port()
    addresses = {
        "WEIR_LISTEN": f"127.0.0.1:{port}",
        "WEIR_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "WEIR_DRAIN_DELAY": "0",
    }
    command = servers.guarded([*valgrind, f"--callgrind-out-file={profile}", str(binary)], None)
    with Server(binary.name, command, {**settings, **addresses}, port, folder, SECONDS_MAX) as server:
        for again in range(2):
            # The first of a connection that is kept, the second, and one on another.
            ask(port, [(path, None, status) for path, status in ASKED.items() for _ in range(2 - again)])
            ask(port, [("/echo", b"x" * 1_000, 200)])
        ask(admin_port, [(path, None, status) for path, status in ASKED_ADMIN.items()])
    if server.exit_code != 0:
        raise BenchmarkError(f"{binary.name} ended with {server.exit_code} under valgrind")
    for found in FUNCTION.finditer(profile.read_text(errors="replace")):
        yield found[1]


def ask(port: int, requests: list[tuple[str, bytes | None, int]]) -> None:
    """All on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        for path, body, expected in requests:
            connection.request("GET" if body is None else "POST", path, body)
            response = connection.getresponse()
            response.read()
            if response.status != expected:
                raise BenchmarkError(f"{path} was answered with {response.status}")
    finally:
        connection.close()


def one_of_each(names: Iterable[str], addresses: Mapping[str, int], starts: list[int]) -> list[str]:
    """The first name of each section."""
    first: dict[int, str] = {}
    for name in names:
        if name in addresses:
            first.setdefault(bisect.bisect_right(starts, addresses[name]), name)
    return list(first.values())


def write(build_folder: Path, folder: Path) -> None:
    require("strip", "valgrind")
    starts = {product: sections(product, folder, build_folder) for product in PRODUCTS}
    stripped = {}
    for product in PRODUCTS:
        # Valgrind cannot read Swift's debug information.
        stripped[product] = folder / product
        run("strip", "--strip-debug", "-o", stripped[product], folder / f"{product}.linked")
    configuration = folder / "weir.yaml"
    names: dict[str, None] = {}
    with servers.weir_with(stripped["hello"], {}, Products(stripped, folder), None) as endpoint:
        configuration.write_text(CONFIGURATION.format(port=endpoint.port))
        settings = {"weir": {"WEIR_CONFIG": str(configuration)}, "hello": {}}
        for product in PRODUCTS:
            addresses = functions(stripped[product])
            ran = executed(stripped[product], settings[product], folder)
            names |= dict.fromkeys(one_of_each(ran, addresses, starts[product]))
    ORDER.write_text("".join(f"{name}\n" for name in names))
    for product in PRODUCTS:
        # SwiftPM does not see that they are to be linked anew.
        (build_folder / "release" / product).unlink(missing_ok=True)
    print(f"{len(names)} names are in {ORDER.relative_to(REPOSITORY)} now")


def check(build_folder: Path, folder: Path) -> None:
    build(PRODUCTS, build_folder, folder)
    found = [functions(build_folder / "release" / product) for product in PRODUCTS]
    names = ORDER.read_text().split()
    there = sum(any(name in addresses for addresses in found) for name in names) / len(names)
    ordered = min(in_order([addresses[name] for name in names if name in addresses]) for addresses in found)
    print(f"of the {len(names)} names in {ORDER.relative_to(REPOSITORY)} {there:.1%} are functions of the programs,")
    print(f"and {ordered:.1%} stand behind the one before")
    if there < PART_MIN:
        raise BenchmarkError(f"less than {PART_MIN:.0%} are there: write it anew, with python3 Benchmarks/order.py")
    if ordered < PART_MIN:
        raise BenchmarkError("the programs are not linked in this order: remove them and build them anew")


def in_order(addresses: list[int]) -> float:
    """How many of them are above the one before, as a part of all."""
    pairs = list(itertools.pairwise(addresses))
    return sum(first < second for first, second in pairs) / max(1, len(pairs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where too many names are gone")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="weir-order-") as folder:
            (check if options.check else write)(options.build_folder.resolve(), Path(folder))
    except (BenchmarkError, OSError, http.client.HTTPException) as error:
        print(f"order: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
