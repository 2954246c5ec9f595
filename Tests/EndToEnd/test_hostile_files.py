# SPDX-License-Identifier: Apache-2.0
# Files that are none, or that grow when they are read.

import os

import pytest

from server import GATEWAY, run_to_failure

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{former}'] * 10)}]\n" for former, name in zip("abcdefgh", "bcdefghi")
)
CONTENTS = {
    "aliases of aliases": (LAUGHS, "values, those that aliases repeat among them"),
    "a hundred thousand brackets": ("[" * 100_000, "nested deeper than"),
    "more than a file may have": ("a: " + "x" * (5 << 20), "the file is larger than"),
    "zeros": ("\0" * 1000, "control characters"),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_a_file_that_grows_or_never_ends_stops_the_start_with_a_line(tmp_path, what):
    text, reason = CONTENTS[what]
    file = tmp_path / "weir.yaml"
    file.write_text(text)
    code, lines = run_to_failure({"WEIR_CONFIG": file}, binary=GATEWAY)
    assert code == 78
    (line,) = lines
    assert reason in line and len(line) < 500


def test_what_is_no_file_stops_the_start_and_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", tmp_path):
        code, lines = run_to_failure({"WEIR_CONFIG": path}, binary=GATEWAY)
        assert code == 78 and len(lines) == 1
        settings = {
            "WEIR_LISTEN": "tls://127.0.0.1:0", "WEIR_TLS_CERT": path, "WEIR_TLS_KEY": path,
            "WEIR_UPSTREAM": "http://127.0.0.1:1",
        }  # fmt: skip
        code, lines = run_to_failure(settings, binary=GATEWAY)
        assert code == 78 and len(lines) == 1 and "WEIR_TLS_CERT" in lines[0]
