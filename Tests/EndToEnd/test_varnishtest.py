# SPDX-License-Identifier: Apache-2.0
# Both ends of the gateway scripted byte by byte, in the language of Varnish's own tests.

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from polling import PATIENCE_SECONDS
from server import GATEWAY, REPOSITORY, environment

SCRIPTS = sorted((Path(__file__).parent / "varnishtest").glob("*.vtc"))
# Where scripts/setup unpacks it.
UNPACKED = REPOSITORY / ".build-varnish"
PROGRAM = shutil.which("varnishtest") or UNPACKED / "usr/bin/varnishtest"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_of_both_ends(script, tmp_path):
    assert os.access(PROGRAM, os.X_OK), "no varnishtest: scripts/setup test unpacks it"
    listen, admin = tmp_path / "listen", tmp_path / "admin"
    settings = {
        "WEIR_LISTEN": f"unix:{listen}",
        "WEIR_ADMIN_LISTEN": f"unix:{admin}",
        "WEIR_LOOPS": 1,
        "WEIR_DRAIN_TIMEOUT": "2s",
    }
    libraries = ":".join(str(folder) for folder in UNPACKED.glob("usr/lib/*-linux-gnu"))
    macros = {"listen": listen, "admin": admin, "weir": GATEWAY}
    result = subprocess.run(
        [PROGRAM, "-t", str(2 * PATIENCE_SECONDS), *(f"-D{name}={value}" for name, value in macros.items()), script],
        env={**environment(settings), "LD_LIBRARY_PATH": libraries, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=4 * PATIENCE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
