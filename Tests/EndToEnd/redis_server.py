# SPDX-License-Identifier: Apache-2.0
# A Redis of the test's own: a process on a Unix socket in a scratch folder, stopped by its process id.

import shutil
import signal
import socket
import subprocess

from polling import PATIENCE_SECONDS, eventually

PROGRAM = shutil.which("redis-server")


class RedisServer:
    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "redis"
        self.process = None
        self.start()

    @property
    def url(self):
        return f"unix:{self.path}"

    def start(self):
        """Returns when it answers."""
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", PROGRAM, "--port", "0", "--unixsocket", str(self.path)),
                *("--dir", str(self.folder), "--save", "", "--appendonly", "no", "--daemonize", "no"),
                *("--logfile", str(self.folder / "log")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self.answers, "redis-server answers")

    def answers(self):
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def command(self, *words):
        """The first line of the answer to a command without arguments that need quotes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.makefile("rb").readline().decode().rstrip("\r\n")

    def pause(self):
        """It takes connections and bytes, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    close = kill
