# SPDX-License-Identifier: Apache-2.0
# That no test of ours is skipped unseen: skips.py, with tests that want to be, and the script for testssl.sh.

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polling import PATIENCE_SECONDS
from server import REPOSITORY

WANT_TO_BE = {
    "in a test": "import pytest\ndef test_one(): pytest.skip('no kernel')\n",
    "in a fixture": "import pytest\n@pytest.fixture\ndef kernel(): pytest.skip('no kernel')\ndef test_one(kernel): pass\n",
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='no kernel')\ndef test_one(): pass\n",
    "a whole file": "import pytest\npytest.importorskip('not_there', reason='no kernel')\ndef test_one(): pass\n",
}


def run(folder, text, **variables):
    (folder / "test_it.py").write_text(text + "\ndef test_that_runs(): pass\n")
    others = {name: value for name, value in os.environ.items() if name != "TESTS_MAY_SKIP"}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider", "--rootdir", folder, folder],
        env={**others, "PYTHONPATH": str(Path(__file__).parent), **variables},
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE_SECONDS,
    )
    return result.returncode, result.stdout


@pytest.mark.parametrize("where", WANT_TO_BE)
def test_a_skip_fails_and_says_why(tmp_path, where):
    code, output = run(tmp_path, WANT_TO_BE[where])
    assert code != 0 and "no kernel; set TESTS_MAY_SKIP=1" in output, output
    assert "skipped" not in output.splitlines()[-1]


@pytest.mark.parametrize("where", WANT_TO_BE)
def test_where_it_may_it_is_listed_at_the_end(tmp_path, where):
    code, output = run(tmp_path, WANT_TO_BE[where], TESTS_MAY_SKIP="1")
    assert "no kernel" in output.split("short test summary info")[1], output
    assert "1 skipped" in output.splitlines()[-1]
    # All that a file wants to skip is its own; what runs decides.
    assert code == (5 if where == "a whole file" else 0)


def test_what_is_expected_to_fail_is_no_skip(tmp_path):
    code, output = run(tmp_path, "import pytest\n@pytest.mark.xfail\ndef test_one(): assert False\n")
    assert code == 0 and "1 xfailed" in output


def test_testssl_that_is_not_installed_is_no_good_result(tmp_path):
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(shutil.which(program))
    result = subprocess.run(
        ["bash", REPOSITORY / "scripts/test-tls"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 1
    assert "testssl.sh is not installed" in result.stderr
