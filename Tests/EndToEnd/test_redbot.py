# SPDX-License-Identifier: Apache-2.0
# REDbot reads our answers, and asks again with ranges, conditions and content codings: it finds nothing wrong.

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polling import PATIENCE_SECONDS

# How long an answer is fresh is for a handler to say.
ALLOWED = {"This response allows caches to assign their own freshness lifetimes to it."}
PATHS = {"/hello": 200, "/json": 200, "/async": 200, "/blocking": 200, "/files/inside.txt": 200, "/nope": 404}


def examine(urls):
    command = [sys.executable, Path(__file__).parent / "redbot_notes.py", *urls]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_SECONDS)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("place", ["the service", "the gateway in front of it"])
def test_nothing_is_wrong_with_our_answers(server, gateway, place):
    url = server.url if place == "the service" else gateway(server.url).url
    for (path, status), found in zip(PATHS.items(), examine(url + path for path in PATHS).values()):
        assert found["status"] == status, path
        assert any(level == "good" for level, _ in found["notes"]), path
        wrong = {note for level, note in found["notes"] if level in ("bad", "warning")}
        assert wrong <= ALLOWED, path
