# SPDX-License-Identifier: Apache-2.0
"""The servers under load: child processes bound to one core, ended with the block that started them."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tools import BenchmarkError, Products, child_environment

BODY = b"Hello, world\n"
START_SECONDS_MAX = 10.0
RETRY_SECONDS = 0.0002
# The kernel's CPUCLOCK_SCHED: all the time that a process was scheduled, in nanoseconds.
CPU_CLOCK_SCHEDULED = 2
# For /proc/PID/clear_refs: the peak of resident memory begins anew at what is resident now.
RESET_PEAK = "5"

NGINX_FRAME = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ {events} }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}}}
"""

NGINX_CONFIGURATION = """\
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "Hello, world\\n"; }}
    }}
"""


class Server:
    """One server process and its children; use it in a `with` block."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        port: int,
        folder: Path,
        seconds_max: float = START_SECONDS_MAX,
    ) -> None:
        """Ends it where it takes more than `seconds_max` to start, or to stop."""
        self.name = name
        self._seconds_max = seconds_max
        self.port = port
        self._command = command
        self._environment = child_environment(environment)
        self._log = folder / f"{name}-{port}.log"

    def __enter__(self) -> Self:
        started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait_for_first_answer(started + self._seconds_max)
        except BaseException:
            self.stop()
            raise
        self.start_milliseconds = (time.monotonic() - started) * 1_000
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_for_first_answer(self, deadline: float) -> None:
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{self.name} did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(RETRY_SECONDS)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._seconds_max)
        except subprocess.TimeoutExpired:
            for pid in reversed(self._pids()):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """Of one that has ended; below 0 the signal that ended it."""
        return self._process.poll()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_nanoseconds(self) -> int:
        """CPU time of the process and its children so far, from the clock that the kernel keeps for each of them."""
        return sum(time.clock_gettime_ns((~pid << 3) | CPU_CLOCK_SCHEDULED) for pid in self._pids())

    def resident_bytes(self) -> int:
        """Counted page by page: the quick figure in `status` may be off by some hundred KiB."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        line = next(line for line in rollup.splitlines() if line.startswith("Rss:"))
        return int(line.split()[1]) * 1024

    def proportional_bytes(self) -> int:
        """Of the process and its children, where a page that they share counts once."""
        return sum(proportional_bytes(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in self._pids())

    def reset_resident_peak(self) -> None:
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)

    def resident_peak_bytes(self) -> int:
        """The most memory that the process and its children held since the peak was reset; some hundred KiB may be
        missing."""
        return sum(peak_bytes(Path(f"/proc/{pid}/status").read_text()) for pid in self._pids())

    def _pids(self) -> list[int]:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [pid, *(int(child) for child in children.split())]


def proportional_bytes(rollup: str) -> int:
    line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def peak_bytes(status: str) -> int:
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def weir(products: Products, settings: Mapping[str, str], core: int | None = None) -> Server:
    """The demo service with one loop and `settings`; everything else is as it is by default."""
    return weir_with(products.hello, settings, products, core)


def weir_with(binary: Path, settings: Mapping[str, str], products: Products, core: int | None) -> Server:
    port = free_port()
    environment = {
        "WEIR_LISTEN": f"127.0.0.1:{port}",
        "WEIR_ADMIN_LISTEN": "127.0.0.1:0",
        "WEIR_LOOPS": "1",
        # So that it ends at once when it is stopped; without effect until then.
        "WEIR_DRAIN_DELAY": "0",
        **settings,
    }
    return Server("weir", guarded([str(binary)], core), environment, port, products.folder)


def nginx(products: Products, core: int) -> Server:
    """Debian's nginx with one worker, which answers by itself and writes no access log."""
    return nginx_with("nginx", NGINX_CONFIGURATION, products, core)


def nginx_with(
    name: str, configuration: str, products: Products, core: int, events: str = "", **places: object
) -> Server:
    """nginx with one worker; in its `configuration`, the `port` and the other `places` are filled in. `events` goes
    into the block of that name."""
    port = free_port()
    folder = products.folder / f"{name}-{port}"
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(NGINX_FRAME.format(folder=folder, events=events, http=configuration.format(port=port, **places)))
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file)]
    return Server(name, guarded(command, core), {}, port, products.folder)


def guarded(command: list[str], core: int | None) -> list[str]:
    """Bound to `core`, and stopped by the kernel if this process is killed and cannot stop it."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    return [*pinned, "setpriv", "--pdeathsig", "TERM", *command]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether `/hello` is answered as both servers must; a wrong answer is an error, none is false."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS_MAX)
    try:
        connection.request("GET", "/hello")
        response = connection.getresponse()
        status, body = response.status, response.read()
    except ConnectionError:
        return False
    finally:
        connection.close()
    if (status, body) != (200, BODY):
        raise BenchmarkError(f"/hello was answered with {status} and {body!r}")
    return True
