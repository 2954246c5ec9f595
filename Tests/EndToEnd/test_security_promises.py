# SPDX-License-Identifier: Apache-2.0
# SECURITY.md beside the tests that it names: each promise has one, and each is there.

import re

import pytest

from server import REPOSITORY

TESTS = REPOSITORY / "Tests"
NAMED = re.compile(r"^- `([\w/]+\.(?:py|swift))::([^`]+)`$", re.M)


def promises(text):
    """The promises by their headings, each with the tests that it names."""
    part = text.split("\n## Promises\n", 1)[1].split("\n## ", 1)[0]
    headings = re.split(r"^### ", part, flags=re.M)[1:]
    return {heading.split("\n", 1)[0]: NAMED.findall(heading) for heading in headings}


def faults(text):
    """What is wrong with what a text promises."""
    found, named = [], promises(text)
    for number, (heading, tests) in enumerate(named.items(), 1):
        if not re.match(rf"{number}\. \w", heading):
            found.append(f"{heading}: expected the number {number}")
        if not tests:
            found.append(f"{heading}: names no test")
        for path, name in tests:
            file = TESTS / path
            swift = rf'func `{re.escape(name)}`\(|@Test\(\s*"{re.escape(name)}"'
            declared = rf"^def {re.escape(name)}\(" if path.endswith(".py") else swift
            if not file.is_file():
                found.append(f"{heading}: there is no {path}")
            elif not re.search(declared, file.read_text(), re.M):
                found.append(f"{heading}: {path} has no test {name!r}")
    return found


def test_each_promise_names_tests_that_are_there():
    text = (REPOSITORY / "SECURITY.md").read_text()
    assert len(promises(text)) > 20
    assert faults(text) == []


def test_each_number_of_the_overview_is_a_promise():
    text = (REPOSITORY / "SECURITY.md").read_text()
    overview = text.split("\n## Promises\n")[0]
    groups = re.findall(r"\((\d[\d, to]*)\)", overview)
    numbers = {int(number) for group in groups for number in re.findall(r"\d+", group)}
    assert numbers and numbers <= set(range(1, len(promises(text)) + 1))


@pytest.mark.parametrize(
    "section, fault",
    [
        ("### 1. Nothing is shown\n\nReally.\n", "names no test"),
        ("### 1. A\n\n- `EndToEnd/test_nowhere.py::test_a`\n", "there is no EndToEnd/test_nowhere.py"),
        ("### 1. A\n\n- `EndToEnd/test_admin.py::test_of_nothing`\n", "has no test 'test_of_nothing'"),
        ("### 1. A\n\n- `WeirTests/Admin/AdminAccessTests.swift::of nothing`\n", "has no test 'of nothing'"),
        ("### 2. A\n\n- `EndToEnd/test_admin.py::test_metrics_are_prometheus_text`\n", "expected the number 1"),
    ],
)
def test_what_is_missing_is_found(section, fault):
    (found,) = faults(f"# Security\n\n## Promises\n\n{section}\n## Behind\n")
    assert fault in found


def test_parser_router_limits_tls_yaml_and_metrics_are_compiled_with_strict_memory_safety():
    manifest = (REPOSITORY / "Package.swift").read_text()
    assert "let leafSettings = strictSettings + [.strictMemorySafety()]" in manifest
    for module in ("WeirHTTP", "WeirRouting", "WeirFlow", "WeirMetrics", "WeirTLS", "WeirDocument", "WeirYAML"):
        declared = re.search(rf'\.target\([^)]*name: "{module}".*?swiftSettings: (\w+)', manifest, re.S)
        assert declared and declared[1] == "leafSettings", module
    built = [manifest, *(path.read_text() for path in (REPOSITORY / "Makefile", REPOSITORY / "Dockerfile"))]
    assert not [text for text in built if "-Ounchecked" in text]
