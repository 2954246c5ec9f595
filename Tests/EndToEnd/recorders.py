# SPDX-License-Identifier: Apache-2.0
# Endpoints by others, which write down what they read: nginx, Go's net/http, and uvicorn with either of its parsers.

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from polling import PATIENCE_SECONDS, eventually
from server import REPOSITORY
from wire import Wire

PROGRAMS = Path(__file__).parent / "recorders"
# Beside the builds of Swift, which git ignores too.
CACHE = REPOSITORY / ".build-recorder"


class Recorder:
    def __init__(self, folder, command, path=None):
        self.record = folder / "record"
        self.record.touch()
        self.taken = 0
        with open(folder / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.address = str(path) if path else ("127.0.0.1", int(self.process.stdout.readline()))
        eventually(self._listens, f"{command[0]} listens")

    def _listens(self):
        assert self.process.poll() is None, f"{self.process.args} ended"
        try:
            Wire(self.address).close()
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True

    @property
    def url(self):
        return f"unix:{self.address}" if isinstance(self.address, str) else f"http://127.0.0.1:{self.address[1]}"

    def read_until(self, target):
        """The requests that it read since it was asked last, up to the one for `target`."""

        def found():
            # The last line may not be whole yet.
            lines = self.record.read_text().split("\n")[self.taken:-1]
            entries = [json.loads(line, strict=False) for line in lines]
            end = next((index + 1 for index, entry in enumerate(entries) if entry.get("target") == target), None)
            return entries[:end] if end else None

        entries = eventually(found, f"{target} is read")
        self.taken += len(entries)
        return entries

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def nginx(folder):
    text = (PROGRAMS / "nginx.conf").read_text()
    (folder / "nginx.conf").write_text(text.replace("FOLDER", str(folder)))
    command = ["/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "errors"]
    return Recorder(folder, command, folder / "socket")


def go(folder):
    return Recorder(folder, [compiled(PROGRAMS / "recorder.go"), folder / "record"])


def uvicorn(parser):
    def start(folder):
        return Recorder(folder, [sys.executable, PROGRAMS / "recorder_asgi.py", folder / "record", parser])

    return start


RECORDERS = {"nginx": nginx, "go": go, "uvicorn-h11": uvicorn("h11"), "uvicorn-httptools": uvicorn("httptools")}


def compiled(source):
    """The program of a Go file, which is compiled where it has changed."""
    compiler = shutil.which("go")
    assert compiler, "no Go compiler: scripts/setup test installs golang-go"
    program = CACHE / hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    if not program.exists():
        CACHE.mkdir(exist_ok=True)
        # In place at once, whoever else compiles it.
        written = CACHE / f"{program.name}.{os.getpid()}"
        environment = {"PATH": os.environ["PATH"], "GOCACHE": str(CACHE / "go"), "GO111MODULE": "off", "CGO_ENABLED": "0"}
        subprocess.run([compiler, "build", "-o", written, source], env=environment, check=True)
        written.rename(program)
    return program
