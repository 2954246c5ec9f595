# SPDX-License-Identifier: Apache-2.0
# The gateway in a container with half a CPU and 64 MiB, as locked in as a pod can be, and what the kernel says of it.
# Its only network is a loopback of its own, so it keeps its ports.

import json
import subprocess
from pathlib import Path

from polling import eventually

MEMORY_MEBIBYTES = 64
LIMITS = ["--cpus", "0.5", "--memory", f"{MEMORY_MEBIBYTES}m", "--memory-swap", f"{MEMORY_MEBIBYTES}m"]
DESCRIPTORS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
LOCKED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
# Beyond the longest drain of the gateway's own, 25 s.
STOP_SECONDS = 40


def podman(*arguments):
    """Runs podman to its end; gives what it printed."""
    result = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, f"podman {arguments}: {result.stderr}"
    return result.stdout


def run_to_end(image, *arguments, **settings):
    """Runs a command of the gateway's in a container; gives its exit code, what it printed, and its errors."""
    command = ["podman", "run", "--rm", *options(settings), image, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout, result.stderr


def options(settings):
    given = [part for name, value in settings.items() for part in ("--env", f"{name}={value}")]
    return ["--network", "none", *LIMITS, *DESCRIPTORS, *LOCKED, *given]


class Container:
    def __init__(self, image, settings):
        self.id = podman("run", "--detach", *options(settings), image).strip()
        try:
            self.pid = self.state["Pid"]
            eventually(lambda: "serving" in self.messages, "it serves")
        except BaseException:
            self.remove()
            raise

    @property
    def state(self):
        return json.loads(podman("inspect", self.id))[0]["State"]

    @property
    def messages(self):
        result = subprocess.run(["podman", "logs", self.id], capture_output=True, text=True, timeout=60)
        return [json.loads(line)["message"] for line in result.stderr.splitlines()]

    def weir(self, *arguments):
        """Runs a command of the gateway's inside; gives what it printed."""
        return podman("exec", self.id, "/usr/bin/weir", *arguments)

    # From inside its network

    def command(self, *arguments):
        return ["nsenter", "--net", "--target", str(self.pid), *arguments]

    def inside(self, *arguments):
        result = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result.stdout

    def get(self, path, port=8080):
        """Status and body of the answer."""
        text = self.inside("curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", f"http://127.0.0.1:{port}{path}")
        body, status = text.rsplit("\n", 1)
        return int(status), body

    def admin(self, path):
        return self.get(path, port=9901)

    # What the kernel says

    def status(self, field):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(line.split(":", 1)[1].split() for line in text.splitlines() if line.startswith(field + ":"))

    @property
    def memory_group(self):
        """The folder of its control group that counts memory, v1 or v2."""
        for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                return Path("/sys/fs/cgroup/memory" + path)
        return Path("/sys/fs/cgroup" + path)

    @property
    def memory_peak_bytes(self):
        """The most that its group was charged, the kernel's share and the cache of files included."""
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            if (self.memory_group / name).exists():
                return int((self.memory_group / name).read_text())
        raise AssertionError(f"no peak of memory in {self.memory_group}")

    @property
    def resident_peak_bytes(self):
        return int(self.status("VmHWM")[0]) * 1024

    # Its end

    def stop(self):
        """As a kubelet does: the signal that the image names, and later the end. Gives the exit code."""
        podman("stop", "--time", str(STOP_SECONDS), self.id)
        return self.state["ExitCode"]

    def remove(self):
        podman("rm", "--force", "--time", "0", self.id)
