# SPDX-License-Identifier: Apache-2.0
"""The programs that the benchmarks need, and how they are run."""

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD_FOLDER = REPOSITORY / ".build-static"

# Where Debian has each program that may be missing.
PACKAGES = {
    "cc": "gcc",
    "curl": "curl",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "setpriv": "util-linux",
    "strip": "binutils",
    "taskset": "util-linux",
    "valgrind": "valgrind",
    "wrk": "wrk",
}
# nginx and HAProxy live in /usr/sbin, which is not on every user's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


class BenchmarkError(Exception):
    """Something that makes a figure impossible or worthless; its text is for the person at the terminal."""


def require(*names: str) -> None:
    missing = sorted({name for name in names if not shutil.which(name, path=SEARCH_PATH)})
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        raise BenchmarkError(f"not found: {', '.join(missing)}. On Debian: apt-get install {' '.join(packages)}")


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs to the end and gives what was printed; with `environment`, in that and the search path alone."""
    result = capture(*command, environment=os.environ if environment is None else child_environment(environment))
    if result.returncode != 0:
        line = " ".join(str(part) for part in command)
        raise BenchmarkError(f"exit code {result.returncode}: {line}\n{(result.stdout + result.stderr).strip()}")
    return result


def first_line(*command: str) -> str:
    """What a program says first, whatever its exit code: some call it a mistake to be asked for their version."""
    result = capture(*command, environment=os.environ)
    return (result.stdout + result.stderr).strip().partition("\n")[0]


def capture(*command: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    settings = {**environment, "PATH": SEARCH_PATH}
    return subprocess.run(command, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing from the caller's shell but the search path: a stray `WEIR_` variable would change what is measured."""
    return {"PATH": SEARCH_PATH, **settings}


@dataclass(frozen=True)
class Products:
    """The programs under measurement, by name: those that were asked for. `folder` is for scratch files and goes away
    with the run."""

    binaries: Mapping[str, Path]
    folder: Path

    @property
    def hello(self) -> Path:
        return self.binaries["hello"]

    @property
    def replay(self) -> Path:
        return self.binaries["Replay"]

    @property
    def micro(self) -> Path:
        return self.binaries["Micro"]

    @property
    def gateway(self) -> Path:
        return self.binaries["weir"]


# What is cut off from each product. Valgrind needs that as well: it cannot read Swift's debug information.
STRIPPING = {"hello": "--strip-all", "Micro": "--strip-debug", "Replay": "--strip-debug", "weir": "--strip-all"}


def build(names: Collection[str], build_folder: Path, folder: Path) -> dict[str, Path]:
    """Builds in the form in which the product ships: release, Swift's libraries linked statically."""
    if names and not shutil.which("swift"):
        raise BenchmarkError("not found: swift. The Swift 6.3 toolchain must be on PATH")
    flags = ["-c", "release", "--static-swift-stdlib", "--scratch-path", str(build_folder)]
    for name in names:
        result = subprocess.run(["swift", "build", *flags, "--product", name], cwd=REPOSITORY)
        if result.returncode != 0:
            raise BenchmarkError(f"the build of {name} failed")
    return {name: strip(STRIPPING[name], build_folder / "release" / name, folder) for name in names}


def strip(mode: str, binary: Path, folder: Path) -> Path:
    """A stripped copy in `folder`."""
    copy = folder / binary.name
    run("strip", mode, "-o", copy, binary)
    return copy
