# SPDX-License-Identifier: Apache-2.0
# The image itself: what it says of itself, what is in it, and what is not.

import re
import stat
import subprocess
from pathlib import Path

from container import run_to_end

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE_BYTES_MAX = 60_000_000


def test_it_says_what_it_is_and_how_it_is_run(image):
    configuration = image["Config"]
    assert configuration["Entrypoint"] == ["/usr/bin/weir"]
    assert "Cmd" not in configuration
    assert configuration["User"] == "65532:65532"
    assert configuration["StopSignal"] == "SIGTERM"
    assert set(configuration["ExposedPorts"]) == {"8080/tcp", "9901/tcp"}
    assert "Healthcheck" not in image


def test_it_is_for_this_architecture_and_holds_its_linker(image, root):
    asked = ["dpkg", "--print-architecture"]
    assert image["Architecture"] == subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    headers = subprocess.run(
        ["readelf", "--program-headers", "--wide", root / "usr/bin/weir"], capture_output=True, text=True, check=True
    ).stdout
    linker = re.search(r"program interpreter: /(\S+)\]", headers)[1]
    assert (root / linker).is_file()


def test_its_labels_are_those_of_the_build(image):
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image["Labels"].items()}
    assert labels["title"] == "weir"
    assert labels["licenses"] == "Apache-2.0"
    asked = ["git", "cat-file", "-t", labels["revision"]]
    assert subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True).stdout == "commit\n"
    assert re.fullmatch(r"https://\S+", labels["source"])
    assert labels["description"]
    code, text, _ = run_to_end(image["Id"], "--version")
    assert (code, text) == (0, f"weir {labels['version']}\n")


def test_it_is_below_60_megabytes(image, root, measure):
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
    program = (root / "usr/bin/weir").stat().st_size
    measure("image, unpacked", f"{size / 1e6:.1f} MB, of which the program {program / 1e6:.1f} MB")
    assert size < SIZE_BYTES_MAX
    # What the store counts is the same files, and directories.
    assert image["Size"] < SIZE_BYTES_MAX


def test_it_holds_one_program_and_its_libraries(root):
    executables = {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.stat().st_mode & stat.S_IXUSR and not path.name.startswith("lib")
    }
    linkers = {path for path in executables if Path(path).name.startswith("ld-linux")}
    assert len(linkers) == 1
    assert executables - linkers == {"usr/bin/weir"}
    # It is in the program.
    assert not list(root.rglob("*libswift*"))


def test_nothing_in_it_gives_privileges_or_is_for_everybody_to_write(root):
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        assert path.lstat().st_uid == 0
        assert stat.S_ISLNK(mode) or not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWGRP | stat.S_IWOTH), path


def test_it_knows_public_cas(root):
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 50


def test_the_program_is_stripped(root):
    sections = subprocess.run(
        ["readelf", "--section-headers", "--wide", root / "usr/bin/weir"], capture_output=True, text=True, check=True
    ).stdout
    assert ".text" in sections
    assert ".debug_info" not in sections
    assert ".symtab" not in sections


def test_each_library_has_its_package_on_record(root):
    """Scanners read these records; the licences ask for the texts."""
    records = {path.name: path.read_text() for path in (root / "var/lib/dpkg/status.d").iterdir()}
    libraries = {"libc6", "libsystemd0", "libyaml-0-2", "libc-ares2", "libhiredis0.14", "libssl3"}
    assert libraries | {"ca-certificates"} <= set(records)
    for name, record in records.items():
        assert f"Package: {name}\n" in record
        assert re.search(r"^Version: \S+$", record, re.M)
        assert (root / "usr/share/doc" / name / "copyright").stat().st_size > 0
    assert "Apache License" in (root / "usr/share/doc/weir/copyright").read_text()
    assert (root / "usr/share/doc/swift-log/NOTICE.txt").exists()
    assert "ID=debian" in (root / "etc/os-release").read_text()
