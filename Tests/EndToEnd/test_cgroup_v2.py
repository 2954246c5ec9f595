# SPDX-License-Identifier: Apache-2.0
# The gateway in control groups of version 2, whatever version this machine has: the tests of guest/ run in a kernel
# that is a process here, Debian's user-mode-linux. It sees the files of this machine, and its only network is loopback.

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from server import BINARY, GATEWAY

KERNEL = shutil.which("linux.uml")
GUEST = Path(__file__).parent / "guest"
GUEST_SECONDS = 180


def boot(results):
    """Runs the guest to its end; gives what its console said. Its processes are in a namespace that ends with it."""
    parameters = {
        "rootfstype": "hostfs",
        "init": GUEST / "init",
        "mem": "512M",
        "con0": "null,fd:1",
        "con": "null",
        "uml_dir": results,
        "RESULTS": results,
        "PYTHON": sys.executable,
        "WEIR_GATEWAY": GATEWAY,
        "WEIR_HELLO": os.path.abspath(BINARY),
    }
    given = [f"{name}={value}" for name, value in parameters.items()]
    # The first process of such a namespace cannot end itself by a signal, as the kernel does: so that is the shell.
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit', "sh"]
    command = [*inside, KERNEL, "ro", *given]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as guest:
        try:
            return guest.communicate(timeout=GUEST_SECONDS)[0].decode(errors="replace")
        finally:
            guest.kill()


@pytest.mark.release
@pytest.mark.skipif(not KERNEL, reason="no linux.uml: scripts/setup test installs user-mode-linux")
def test_the_gateway_keeps_to_control_groups_of_version_2(tmp_path):
    console = boot(tmp_path)
    output = tmp_path / "output"
    report = tmp_path / "report.xml"
    said = output.read_text() if output.exists() else console
    assert report.exists(), said
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    assert int(suite.get("tests")) > 0, said
    assert [suite.get(name) for name in ("failures", "errors", "skipped")] == ["0"] * 3, said
