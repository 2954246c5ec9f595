# SPDX-License-Identifier: Apache-2.0
"""What of a linker's map, of a program's names and of a profile gets into the order of functions."""

import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import order
from tools import BenchmarkError

MAP = """\
             VMA              LMA     Size Align Out     In      Symbol
          124000           124000       90     1 .text
          124000           124000       40    16         /build/Weir.build/App.swift.o:(.text)
          124000           124000       20     1                 $s4Weir3AppV
          124040           124040       30    16         libfoo.a(a b.o):(.text.hot)
          124070           124070       20    16         libfoo.a(c.o):(.data)
"""
PROFILE = """\
fl=(1) App.swift
fn=(12) $s4Weir3AppV
fn=$s4Weir3RunyyF'2
cfn=$s4Weir6CalledyyF
fn=main
"""


class Order(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_sections_are_the_lines_of_functions_in_the_map(self):
        found = [line[1] for line in map(order.SECTION.match, MAP.splitlines()) if line]
        self.assertEqual(found, ["124000", "124040"])

    def test_a_profile_names_what_ran_without_numbers(self):
        self.assertEqual(order.FUNCTION.findall(PROFILE), ["$s4Weir3AppV", "$s4Weir3RunyyF", "main"])

    def test_one_name_stands_for_each_section(self):
        addresses = {"first": 100, "second": 120, "far": 300}
        names = order.one_of_each(["second", "unknown", "first", "far"], addresses, [90, 200, 290])
        self.assertEqual(names, ["second", "far"])

    def test_a_name_that_is_there_twice_says_nothing(self):
        source = self.folder / "a.c"
        for name, other in ("a", "alone"), ("b", "main"):
            text = f"static void twice(void) {{}}\nint {other}() {{ twice(); return 0; }}"
            source.with_name(f"{name}.c").write_text(text)
        binary = self.folder / "binary"
        subprocess.run(["cc", "-O0", "-o", binary, source, source.with_name("b.c")], check=True)
        found = order.functions(binary)
        self.assertIn("alone", found)
        self.assertNotIn("twice", found)

    def check(self, names, found):
        file = mock.Mock(wraps=order.REPOSITORY / "Sources" / "unused", read_text=lambda: "\n".join(names))
        with (
            mock.patch.object(order, "build"),
            mock.patch.object(order, "ORDER", file),
            mock.patch.object(order, "functions", side_effect=found),
            mock.patch("builtins.print"),
        ):
            order.check(Path("build"), self.folder)

    def test_too_many_names_that_are_gone_fail_the_check(self):
        names = [f"f{number}" for number in range(10)]
        addresses = {name: number for number, name in enumerate(names)}
        half = dict(list(addresses.items())[:5])
        rest = dict(list(addresses.items())[5:9])
        self.check(names, [half, rest])
        with self.assertRaisesRegex(BenchmarkError, "less than 90% are there"):
            self.check(names, [half, dict(list(rest.items())[:3])])

    def test_a_program_in_another_order_fails_the_check(self):
        names = [f"f{number}" for number in range(11)]
        addresses = {name: number for number, name in enumerate(names)}
        self.check(names, [addresses, {**addresses, "f5": 99}])
        with self.assertRaisesRegex(BenchmarkError, "not linked in this order"):
            self.check(names, [addresses, {**addresses, "f5": 99, "f8": 98}])


if __name__ == "__main__":
    unittest.main()
