# SPDX-License-Identifier: Apache-2.0
"""No figure that CI compares with is changed without its reason."""

import argparse
import contextlib
import io
import json
import platform
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import allocations
import instructions
from expected import Expected, parse_action
from tools import BenchmarkError

HERE = platform.machine()
ELSEWHERE = {"another": {"/hello": {"count": 7, "reason": "7: first measured"}}}


class Figures(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.expected = Expected(Path(folder.name) / "figures.json", tolerance=0.01)

    def update(self, counts, reason):
        with contextlib.redirect_stdout(io.StringIO()):
            self.expected.update(counts, reason)

    def write(self, **figures):
        self.expected.file.write_text(json.dumps({HERE: figures, **ELSEWHERE}))

    def figures(self):
        return json.loads(self.expected.file.read_text())

    def test_a_new_figure_has_its_reason(self):
        self.update({"/hello": 1000}, "first measured")
        self.assertEqual(self.figures(), {HERE: {"/hello": {"count": 1000, "reason": "1000: first measured"}}})
        self.assertEqual(self.expected.of(["/hello"]), {"/hello": 1000})

    def test_one_that_has_moved_names_the_one_before(self):
        self.update({"/hello": 1000, "proxy": 3000}, "first measured")
        self.update({"/hello": 1011, "proxy": 2900}, "fields are looked up twice")
        self.assertEqual(
            {name: figure["reason"] for name, figure in self.figures()[HERE].items()},
            {
                "/hello": "1000 to 1011: fields are looked up twice",
                "proxy": "3000 to 2900: fields are looked up twice",
            },
        )

    def test_one_that_has_not_moved_keeps_figure_and_reason(self):
        self.update({"/hello": 1000, "proxy": 3000}, "first measured")
        self.update({"/hello": 1010, "proxy": 3300}, "another reason")
        self.assertEqual(self.figures()[HERE]["/hello"], {"count": 1000, "reason": "1000: first measured"})

    def test_small_steps_are_a_large_one(self):
        self.update({"/hello": 1000}, "first measured")
        for count in (1009, 1010):
            self.update({"/hello": count}, "a little more")
        self.assertEqual(self.expected.read(), {"/hello": 1000})

    def test_cases_that_are_no_more_go_and_other_processors_stay(self):
        self.write(gone={"count": 1, "reason": "1: first measured"})
        self.update({"/hello": 1000}, "first measured")
        here = {"/hello": {"count": 1000, "reason": "1000: first measured"}}
        self.assertEqual(self.figures(), {HERE: here, **ELSEWHERE})

    def test_none_stands_without_its_own_reason(self):
        for figure in (
            {"count": 1020, "reason": "1000: first measured"},
            {"count": 1020, "reason": "1020 to 1000: the wrong way around"},
            {"count": 1020, "reason": "1000 to 1020"},
            {"count": 1020, "reason": "1000 to 1020: "},
            {"count": 1020, "reason": "because"},
            {"count": 1020, "reason": ""},
            {"count": 1020, "reason": None},
            {"count": 1020},
            1020,
        ):
            with self.subTest(figure=figure):
                self.write(**{"/hello": figure})
                with self.assertRaisesRegex(BenchmarkError, "figures.json: /hello: "):
                    self.expected.of(["/hello"])
                with self.assertRaisesRegex(BenchmarkError, "figures.json: /hello: "):
                    self.update({"/hello": 1020}, "why")

    def test_cases_without_a_figure_are_named(self):
        self.update({"/hello": 1000}, "first measured")
        with self.assertRaisesRegex(BenchmarkError, r"\(proxy\)"):
            self.expected.of(["/hello", "proxy"])


class Actions(unittest.TestCase):
    def parse(self, *arguments):
        with mock.patch("sys.argv", ["instructions.py", *arguments]), contextlib.redirect_stderr(io.StringIO()):
            return parse_action(argparse.ArgumentParser())

    def test_an_update_says_why(self):
        self.assertEqual(self.parse("--update", " it must ").update, "it must")
        for arguments in (["--update"], ["--update", ""], ["--update", "  "], ["--update", "why", "--check"], []):
            with self.subTest(arguments=arguments), self.assertRaises(SystemExit):
                self.parse(*arguments)


class Repository(unittest.TestCase):
    def test_each_figure_has_its_reason(self):
        for expected in (instructions.EXPECTED, allocations.EXPECTED):
            expected.read()


if __name__ == "__main__":
    unittest.main()
