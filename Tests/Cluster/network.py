# SPDX-License-Identifier: Apache-2.0
# The network of the cluster: a bridge in the network namespace that the tests run in, and for each pod a namespace of
# its own with one address. Nothing of it leads outside, and the kernel removes it with the last process.

import itertools
import threading

from polling import eventually
from processes import Process, run

BRIDGE = "pods0"
PREFIX = "10.244.0"
# The node's address, where the API server is.
NODE_ADDRESS = f"{PREFIX}.1"


class Network:
    def __init__(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{NODE_ADDRESS}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        self.lock = threading.Lock()
        self.used = set()
        # An address comes again as late as it can: nobody mixes up two pods.
        self.numbers = itertools.cycle(range(10, 250))

    def take(self):
        with self.lock:
            number = next(number for number in self.numbers if number not in self.used)
            self.used.add(number)
            return number

    def give_back(self, number):
        with self.lock:
            self.used.discard(number)

    def close(self):
        run("ip", "link", "delete", BRIDGE)


class Sandbox:
    """The namespaces of a pod, and the process that keeps them, as a cluster's pause container does."""

    ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"

    def __init__(self, network, log, account=None):
        """`account` is the folder that its processes find as their service account's."""
        self.network = network
        self.number = network.take()
        self.address = f"{PREFIX}.{self.number}"
        link = f"pod{self.number}"
        mount = "mount -t tmpfs tmpfs /run"
        if account:
            mount += f" && mkdir -p {self.ACCOUNT} && mount --bind '{account}' {self.ACCOUNT}"
        script = f"ip link set lo up && {mount} && mkdir /run/made && exec sleep infinity"
        self.pause = Process(["unshare", "--net", "--mount", "sh", "-c", script], log)
        # Through /proc, as /run of a pod is seen by its own processes only.
        eventually(lambda: self._is_made(), "the namespaces of a pod are made")
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.pause.pid)
        run("ip", "link", "set", link, "master", BRIDGE, "up")
        run(*self.entering("--net"), "ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        run(*self.entering("--net"), "ip", "link", "set", "eth0", "up")

    def _is_made(self):
        assert self.pause.code is None, f"see {self.pause.log}"
        try:
            return run("ls", "-d", f"/proc/{self.pause.pid}/root/run/made")
        except AssertionError:
            return False

    def entering(self, *namespaces):
        """What a command begins with that is to run inside."""
        return ["nsenter", "--target", str(self.pause.pid), *(namespaces or ("--net", "--mount"))]

    def close(self):
        # With its last process the namespace goes, and with it both ends of the link.
        self.pause.stop(0)
        self.network.give_back(self.number)
