# SPDX-License-Identifier: Apache-2.0
# The configuration file: what `weir check` says of it, that a wrong one is one line, and that its JSON schema, read by a
# validator that nobody here wrote, takes the same files.

import json

import jsonschema
import pytest

from schema import schema_faults
from sections import SCHEMA
from server import REPOSITORY, run_gateway, run_to_failure

EXAMPLES = sorted((REPOSITORY / "Examples/gateway").iterdir())


def check(tmp_path, text, **settings):
    file = tmp_path / "weir.yaml"
    file.write_text(text)
    return run_gateway("check", WEIR_CONFIG=file, **settings)


def expect_one_line(tmp_path, text, place, *parts):
    code, output, errors = check(tmp_path, text)
    assert (code, output, len(errors)) == (78, "", 1), errors
    assert errors[0].startswith(f"weir: {tmp_path}/weir.yaml:{place}: "), errors
    for part in parts:
        assert part in errors[0], errors


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_an_example_is_right_for_the_gateway_and_for_the_schema(path):
    code, output, errors = run_gateway("check", WEIR_CONFIG=path)
    assert (code, errors) == (0, [])
    assert "\nroute  " in output
    assert schema_faults(path.read_text()) == []


def test_the_schema_is_a_schema_and_the_one_that_the_gateway_prints():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    code, output, errors = run_gateway("schema")
    assert (code, errors) == (0, [])
    assert json.loads(output) == SCHEMA


def test_check_names_the_line_of_each_setting(tmp_path):
    code, output, errors = check(
        tmp_path, "deadline: 3s\ndrain:\n  delay: 1s\n  timeout: 9s\nloops: 2\n", WEIR_LOOPS=1, WEIR_DRAIN_DELAY=None
    )
    assert (code, errors) == (0, [])
    lines = [line.split() for line in output.splitlines()]
    assert ["WEIR_DEADLINE", "3s", "file", f"{tmp_path}/weir.yaml:1"] in lines
    assert ["WEIR_DRAIN_DELAY", "1s", "file", f"{tmp_path}/weir.yaml:3"] in lines
    assert ["WEIR_LOOPS", "1", "environment"] in lines
    assert ["WEIR_PIN", "false", "default"] in lines


@pytest.mark.parametrize("text, place, parts", [
    ("deadline: [", "2:1", ["did not find expected node content"]),
    ("deadline:\n\t2s", "2:1", ["tab"]),
    ("deadline: 1s\ndeadline: 2s", "2:1", ['"deadline"', "line 1"]),
    ("deadlin: 1s", "1:1", ["did you mean deadline?"]),
    ("deadline: 2x", "1:11", ['deadline: "2x"', "expected a duration"]),
    ("upstreams:\n  a:\n    endpoints: [ftp://b]\n", "3:17", ["upstreams.a.endpoints[0]", "https://host:port"]),
    ("upstreams: {a: {endpoints: [http://b]}}\nroutes:\n  - {upstream: c}", "3:16", ["routes[0].upstream", "did you mean a?"]),
])
def test_a_wrong_file_is_one_line_with_its_place(tmp_path, text, place, parts):
    expect_one_line(tmp_path, text, place, *parts)


def test_a_file_that_explodes_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    code, output, errors = check(tmp_path, "\n".join(lines))
    assert (code, output, len(errors)) == (78, "", 1)
    assert "more than 1000000 values" in errors[0]


def test_a_missing_file_is_one_line(tmp_path):
    code, output, errors = run_gateway("check", WEIR_CONFIG=tmp_path / "none.yaml")
    assert (code, output, len(errors)) == (78, "", 1)
    assert "No such file or directory" in errors[0]


def test_a_service_that_reads_no_file_does_not_start_with_one():
    code, lines = run_to_failure({"WEIR_CONFIG": EXAMPLES[0]})
    assert (code, len(lines)) == (78, 1)
    assert "reads no configuration file" in lines[0]


@pytest.mark.parametrize("text, is_right", [
    ("drain: {timeout: 5s}", True),
    ("drain-timeout: 5s", True),
    ("access: {log: {buffer: 1MiB}}", True),
    ("drain: {delay: 0}", True),
    ("workers: 4\nworkers-queue: 8", True),
    ("workers: {queue: 8}", True),
    ("listen: [':80']", True),
    ("deadlin: 5s", False),
    ("deadline: 5", False),
    ("deadline: {a: b}", False),
    ("loops: 257", False),
    ("drain: {}", True),
    ("upstreams: {a: {endpoints: [ftp://b]}}", False),
    ("upstreams: {a: {ejection: off, breaker: false, slow-start: off}}", True),
    ("upstreams: {a: {check: {interval: 5s}}}", False),
    ("routes: [{upstream: a, redirect: {to: /}}]", False),
    ("routes: [{upstream: a, limit: 1/s}, {upstream: a, limit: [{rate: 1/s, burst: 5}]}]", True),
    ("routes: [{upstream: a, retry: {attempts: 11}}]", False),
    ("routes: [{upstream: a, guard: {factor: 2.5, then: {shed: true}}}]", True),
    ("routes: [{upstream: a, headers: {request: {set: {x-a: 1}}}}]", True),
])
def test_the_schema_knows_names_types_and_forms(text, is_right):
    assert (schema_faults(text) == []) == is_right
