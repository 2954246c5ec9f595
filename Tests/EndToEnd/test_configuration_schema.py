# SPDX-License-Identifier: Apache-2.0
# The JSON schema beside the reader: whatever form of a value the gateway takes, with quotes or without, the schema takes
# too; and what is of another kind it refuses.

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from schema import schema_faults
from sections import ALTERNATIVES, COMPANIONS, PLACES, SCHEMA, SECTIONS, SETTINGS
from server import run_gateway

# Of each kind of value some, as they may stand in a file.
VALUES = [
    "null", "", "0", "1", "5", "64", "301", "4096", "1.5", "1.3", "true", "Off", "auto", "4/cpu", "10%", "250ms", "2s", "64KiB",
    "get", "maglev", "critical", "gcra", "client", "pod", "a", "502", "connect", "json", "warning", "up", "cluster", "optional",
    "x-version", "/healthz", "/*rest", "https://a.example.com", "http://127.0.0.1:9;weight=2", "unix:/run/a.sock",
    "file:///run/a.json", "shop.example.com", "5/s", "127.0.0.1:0", "10.0.0.0/8", "stdout", "k8s://shop/weir",
    "1234567890123456", "max-age=9", "{shed: true}", "{to: /}", "{c: a}", "[{upstream: a, weight: 1}]", "[http://127.0.0.1:9]",
]  # fmt: skip


def variants(value):
    """Other ways to write a value that is taken: in quotes, in other cases, as a list of one."""
    if value in ("null", ""):
        return ["~", "Null"]
    if value[0] in "[{":
        return []
    return [value.upper(), value.capitalize(), json.dumps(value), f"['{value}']", json.dumps(f" {value}\n")]


def distinct(schemas):
    """The names of schemas of which no two are the same but for what they say."""
    kept = {json.dumps({**schema, "description": None}): name for name, schema in schemas.items()}
    return sorted(kept.values())


FIELDS = distinct(
    {f"{section}.{name}": field for section, part in SECTIONS.items() for name, field in part["properties"].items()}
)
KINDS_OF_SETTINGS = distinct({name: SCHEMA["$defs"][f"setting-{name}"] for name in SETTINGS})


def accepted(folder, files):
    """The names of those of the files that the gateway takes."""

    def is_accepted(numbered):
        number, text = numbered
        file = folder / f"{number}.yaml"
        file.write_text(text)
        return run_gateway("check", WEIR_CONFIG=file)[0] == 0

    with ThreadPoolExecutor(2) as pool:
        return [name for name, fits in zip(files, pool.map(is_accepted, enumerate(files.values()))) if fits]


def file_with(section, field, value):
    others = {field} | next((names for names in ALTERNATIVES if field in names), set())
    companions = [f", {key}: {one}" for key, one in COMPANIONS.get(section, {}).items() if key not in others]
    text = PLACES[section][0].replace("%s", f"{field}: {value}" + "".join(companions))
    return text if "upstreams:" in text and "routes:" in text else complete(text)


def complete(text):
    """With what makes the file whole: an upstream for routes, a route for an upstream."""
    if "upstreams:" not in text:
        text += "upstreams: {a: {endpoints: [http://127.0.0.1:9]}, b: {endpoints: [http://127.0.0.1:9]}}\n"
    elif "endpoints" not in text and "discover" not in text:
        text = text.replace("a: {", "a: {endpoints: [http://127.0.0.1:9], ", 1)
    return text if "routes:" in text else text + "routes: [{upstream: a}]\n"


def expect_agreement(folder, file_of):
    """Whatever the gateway takes is right for the schema; and something it takes."""
    values = accepted(folder, {value: file_of(value) for value in VALUES})
    assert values, "none of the values is taken"
    more = {other: file_of(other) for value in values for other in variants(value)}
    wrong = {value: schema_faults(file_of(value)) for value in [*values, *accepted(folder, more)]}
    assert not any(wrong.values()), {value: faults for value, faults in wrong.items() if faults}


@pytest.mark.parametrize("field", FIELDS)
def test_every_form_that_the_reader_takes_is_right_for_the_schema(tmp_path, field):
    section, name = field.split(".")
    expect_agreement(tmp_path, lambda value: file_with(section, name, value))


@pytest.mark.parametrize("name", KINDS_OF_SETTINGS)
def test_every_form_of_a_setting_that_the_reader_takes_is_right_for_the_schema(tmp_path, name):
    base = "upstreams: {a: {endpoints: [http://127.0.0.1:9]}}\nroutes: [{upstream: a}]\n"
    expect_agreement(tmp_path, lambda value: f"{base}{name}: {value}\n")


@pytest.mark.parametrize("text, is_right", [
    ("tls: {min: 1.3}", True),
    ("tls-min: '1.3'", True),
    ("tls-min: 1.1", False),
    ("deadline: null\ndrain: {delay: ~}\nroutes:", True),
    ("drain:", True),
    ("upstreams: {a: {check: null, weights: {passing: '10'}}}", True),
    ("upstreams: {a: }", True),
    ("upstreams: {a: {weights: {passing: '10x'}}}", False),
    ("pools: {p: {concurrency: '64', queue: AUTO}}", True),
    ("pools: {p: {concurrency: 64/CPU}}", True),
    ("pools: {p: {concurrency: 0}}", False),
    ("pools: {p: {concurrency: '64/gpu'}}", False),
    ("routes: [{upstream: a, redirect: null}]", True),
    ("routes: [{upstream: null}]", False),
    ("routes: [{upstream: a, match: {methods: [get, 'Post']}}]", True),
    ("routes: [{upstream: a, match: {methods: get}}]", True),
    ("routes: [{upstream: a, match: {methods: [brew]}}]", False),
    ("routes: [{upstream: a, match: {methods: [null]}}]", False),
    ("routes: [{upstream: a, guard: {then: {shed: Yes}}}]", True),
    ("routes: [{upstream: a, guard: {then: null}}]", False),
    ("routes: [{upstream: a, guard: {then: {shed: 1}}}]", True),
    ("routes: [{upstream: a, guard: {then: {shed: 2}}}]", False),
    ("routes: [{upstream: a, retry: {on: [502, '503']}}]", True),
    ("routes: [{upstream: a, retry: {on: [500]}}]", False),
    ("routes: [{redirect: {to: /, status: '308'}}]", True),
    ("routes: [{redirect: {to: /, status: 200}}]", False),
    ("routes: [{upstream: a, deadline: '2s'}]", True),
    ("routes: [{upstream: a, deadline: '2'}]", False),
    ("routes: [{upstream: a, priority: Critical}]", True),
    ("routes: [{upstream: a, priority: 1}]", False),
    ("routes: [{upstream: a, rewrite: {path: 5}}]", False),
    ("routes: [{upstream: 7}]", True),
    ("pin: maybe", False),
    ("listen: {a: b}", False),
    ("body: {bytes: 10MB}", False),
    ("log: {level: LOUD}", False),
])
def test_the_schema_refuses_what_is_of_no_form(text, is_right):
    assert (schema_faults(text) == []) == is_right, schema_faults(text)
