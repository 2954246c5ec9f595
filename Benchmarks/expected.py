# SPDX-License-Identifier: Apache-2.0
"""Figures that are kept in the repository, so that a change of one is seen: what the gates of CI share."""

import argparse
import json
import platform
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD_FOLDER, STRIPPING, BenchmarkError, Products, require, strip


@dataclass(frozen=True)
class Expected:
    """A file of figures by case, for each kind of processor."""

    file: Path

    def read(self) -> dict[str, int]:
        """Those of this machine's kind of processor."""
        figures: dict[str, dict[str, int]] = json.loads(self.file.read_text())
        return figures.get(platform.machine(), {})

    def of(self, names: Collection[str]) -> dict[str, int]:
        """As `read`, where the file has these cases and no others."""
        figures = self.read()
        if differing := sorted(figures.keys() ^ set(names)):
            raise BenchmarkError(
                f"{self.file.name} is not of these cases on {platform.machine()} ({', '.join(differing)}): "
                "run with --update"
            )
        return figures

    def write(self, figures: Mapping[str, int]) -> None:
        all_figures = json.loads(self.file.read_text()) if self.file.exists() else {}
        all_figures[platform.machine()] = dict(figures)
        self.file.write_text(json.dumps(all_figures, indent=4, sort_keys=True) + "\n")
        print(self.file.read_text(), end="")


def parse_action(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare with the file")
    action.add_argument("--update", action="store_true", help="write the file")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="SwiftPM's scratch path")
    return parser.parse_args()


@contextmanager
def measured_products(build_folder: Path, *names: str) -> Iterator[Products]:
    """Stripped copies of what was built."""
    require("strip")
    with tempfile.TemporaryDirectory(prefix="weir-expected-") as folder:
        binaries: dict[str, Path] = {}
        for name in names:
            binary = build_folder / "release" / name
            if not binary.exists():
                raise BenchmarkError(f"{binary} is not there: build it first (see --help)")
            binaries[name] = strip(STRIPPING[name], binary, Path(folder))
        yield Products(binaries, Path(folder))
