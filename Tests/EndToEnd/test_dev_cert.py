# SPDX-License-Identifier: Apache-2.0
# `weir dev-cert`: what it writes works, and nothing is lost by it.

import stat
import subprocess

import pytest

from certificates import openssl
from server import run_gateway


def test_what_it_writes_is_served_and_verified(weir, tmp_path):
    code, output, errors = run_gateway("dev-cert", "shop.test", "10.1.2.3", "--folder", str(tmp_path))
    assert (code, errors) == (0, [])
    assert f"WEIR_TLS_CERT={tmp_path}/tls.crt" in output
    assert stat.S_IMODE((tmp_path / "tls.key").stat().st_mode) == 0o600
    text = openssl("x509", "-in", tmp_path / "tls.crt", "-noout", "-ext", "subjectAltName").decode()
    for name in ("DNS:localhost", "IP Address:127.0.0.1", "DNS:shop.test", "IP Address:10.1.2.3"):
        assert name in text
    server = weir(
        "demo",
        WEIR_LISTEN="tls://127.0.0.1:0",
        WEIR_TLS_CERT=tmp_path / "tls.crt",
        WEIR_TLS_KEY=tmp_path / "tls.key",
    )
    result = subprocess.run(
        ["curl", "-sS", "--cacert", tmp_path / "ca.crt", f"https://localhost:{server.port}/hello"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_a_host_may_be_longer_than_a_common_name(tmp_path):
    host = f"{'a' * 60}.{'b' * 60}.example"
    code, _, errors = run_gateway("dev-cert", host, "--folder", str(tmp_path))
    assert (code, errors) == (0, [])
    text = openssl("x509", "-in", tmp_path / "tls.crt", "-noout", "-ext", "subjectAltName").decode()
    assert f"DNS:{host}" in text


def test_no_file_is_overwritten(tmp_path):
    (tmp_path / "ca.crt").write_text("mine")
    code, _, errors = run_gateway("dev-cert", "--folder", str(tmp_path))
    assert code == 69
    assert errors == [f"weir: {tmp_path}/ca.crt: File exists"]
    assert (tmp_path / "ca.crt").read_text() == "mine"


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
def test_all_files_are_written_or_none(tmp_path, name):
    (tmp_path / name).write_text("mine")
    code, _, errors = run_gateway("dev-cert", "--folder", str(tmp_path))
    assert (code, errors) == (69, [f"weir: {tmp_path}/{name}: File exists"])
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_with_a_line_break_leaves_the_error_one_line(tmp_path):
    code, _, errors = run_gateway("dev-cert", "--folder", f"{tmp_path}/a\nb")
    assert (code, errors) == (69, [f"weir: {tmp_path}/a\\nb/ca.crt: No such file or directory"])


@pytest.mark.parametrize("arguments", [["a b"], ["DNS:x,IP:1.2.3.4"], ["--days", "0"], ["--days", "826"]])
def test_what_is_no_host_or_no_time_is_refused(arguments):
    code, _, errors = run_gateway("dev-cert", *arguments)
    assert code == 64
    assert len(errors) == 1
