# SPDX-License-Identifier: Apache-2.0
# Another host, as far as the network is concerned: a namespace with a link of its own, which can go down as when
# somebody pulls the plug.

import subprocess
import sys
from pathlib import Path

from polling import eventually

NEAR_ADDRESS, FAR_ADDRESS = "10.250.0.1", "10.250.0.2"
# Where nobody is: what is sent there goes to the link and gets no answer.
NOWHERE = "198.19.0.0/16"


def ip(*arguments):
    subprocess.run(["ip", *map(str, arguments)], check=True)


class Far:
    def __init__(self):
        self.pause = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        own = Path("/proc/self/ns/net").readlink()
        eventually(lambda: Path(f"/proc/{self.pause.pid}/ns/net").readlink() != own, "the namespace is made")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", self.pause.pid)
        ip("addr", "add", f"{NEAR_ADDRESS}/24", "dev", "near")
        ip("link", "set", "near", "up")
        ip("route", "add", NOWHERE, "dev", "near")
        self.run("ip", "addr", "add", f"{FAR_ADDRESS}/24", "dev", "far")
        self.plug(True)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "route", "add", "default", "via", NEAR_ADDRESS)
        self.processes = []

    def inside(self, *command):
        return ["nsenter", "--target", str(self.pause.pid), "--net", *map(str, command)]

    def run(self, *command):
        subprocess.run(self.inside(*command), check=True)

    def plug(self, is_in):
        self.run("ip", "link", "set", "far", "up" if is_in else "down")

    def start(self, *command):
        """A program on the other side, which is read and written to line by line."""
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self.inside(*command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def start_python(self, program, *arguments):
        return self.start(sys.executable, Path(__file__).with_name(program), *arguments)

    def close(self):
        for process in [*self.processes, self.pause]:
            process.kill()
            process.wait()
        subprocess.run(["ip", "link", "delete", "near"], stderr=subprocess.DEVNULL)
