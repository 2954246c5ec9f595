# SPDX-License-Identifier: Apache-2.0
# Processes of the plane and of pods: each dies with the tests, writes to a file of its own, and is ended by its
# process id.

import signal
import subprocess
import time


class Process:
    def __init__(self, command, log, environment=None):
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def code(self):
        """Its exit code; None while it runs."""
        return self.process.poll()

    def signal(self, number=signal.SIGTERM):
        if self.code is None:
            self.process.send_signal(number)

    def stop(self, seconds=10):
        """SIGTERM, and SIGKILL where it has not ended in time; gives the exit code."""
        self.signal()
        try:
            return self.process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def run(*command, seconds=20):
    """Runs a command to its end; what it says is in the error when it fails."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=seconds)
    assert result.returncode == 0, f"{command}: {result.stderr}"
    return result.stdout


def stop_all(processes, seconds=10):
    """All at the same time, within these seconds together."""
    for one in processes:
        one.signal()
    end = time.monotonic() + seconds
    for one in processes:
        one.stop(end - time.monotonic())
