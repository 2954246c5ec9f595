# SPDX-License-Identifier: Apache-2.0
"""Figures that are kept in the repository, so that a change of one is seen: what the gates of CI share."""

import argparse
import json
import platform
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from tools import BUILD_FOLDER, STRIPPING, BenchmarkError, Products, require, strip


# A reason names its figure, and the one before where there was one: `2502 to 2512: what it was changed for`.
REASON = re.compile(r"(?:\d+ to )?(\d+): \S")


class Figure(TypedDict):
    count: int
    reason: str


@dataclass(frozen=True)
class Expected:
    """A file of figures by case, for each kind of processor. Each has the reason for which it is what it is."""

    file: Path
    # What a figure may differ by, as a share of the one before, and not be written anew.
    tolerance: float = 0

    def read(self) -> dict[str, int]:
        """Those of this machine's kind of processor, where each figure of the file has its reason."""
        figures = self._figures().get(platform.machine(), {})
        return {name: figure["count"] for name, figure in figures.items()}

    def of(self, names: Collection[str]) -> dict[str, int]:
        """As `read`, where the file has these cases and no others."""
        figures = self.read()
        if differing := sorted(figures.keys() ^ set(names)):
            raise BenchmarkError(
                f"{self.file.name} is not of these cases on {platform.machine()} ({', '.join(differing)}): "
                'run with --update "why it is so"'
            )
        return figures

    def update(self, counts: Mapping[str, int], reason: str) -> None:
        """Writes those that have moved, with the reason; the others keep theirs, and cases that are no more go."""
        figures = self._figures()
        before = figures.get(platform.machine(), {})
        figures[platform.machine()] = after = {
            name: before[name]
            if name in before and not self._moved(count, before[name]["count"])
            else changed(count, before.get(name), reason)
            for name, count in counts.items()
        }
        self.file.write_text(json.dumps(figures, indent=4, sort_keys=True) + "\n")
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                print(f"{name}: {after[name]['reason'] if name in after else 'gone'}")
        print(f"{len(after)} figures in {self.file.name}")

    def _moved(self, count: int, before: int) -> bool:
        return abs(count - before) > self.tolerance * before

    def _figures(self) -> dict[str, dict[str, Figure]]:
        figures = json.loads(self.file.read_text()) if self.file.exists() else {}
        for cases in figures.values():
            for name, figure in cases.items():
                if fault := fault_of(figure):
                    raise BenchmarkError(f"{self.file.name}: {name}: {fault}")
        return figures


def changed(count: int, before: Figure | None, reason: str) -> Figure:
    return {"count": count, "reason": f"{before['count']} to {count}: {reason}" if before else f"{count}: {reason}"}


def fault_of(figure: object) -> str | None:
    """Why it is none, if so: a figure that was changed alone is not the one that its reason names."""
    if not isinstance(figure, dict) or figure.keys() != Figure.__annotations__.keys():
        return 'expected {"count": …, "reason": …}'
    reason = REASON.match(str(figure["reason"]))
    if not reason or reason[1] != str(figure["count"]):
        return (
            f"its reason is not that of {figure['count']}: expected \"… to {figure['count']}: why\", "
            f"found {figure['reason']!r}"
        )
    return None


def words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say why the figures are others than before")
    return text.strip()


def parse_action(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare with the file")
    action.add_argument(
        "--update", type=words, metavar="REASON", help="write what has moved to the file, with what it was changed for"
    )
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
