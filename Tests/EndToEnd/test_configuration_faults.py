# SPDX-License-Identifier: Apache-2.0
# Wrong configuration files of every kind, made from the schema, so that no field is left out: each is one line with
# file, line, column and field, whether it is checked or loaded into a gateway under load, which loses nothing by it.

import json
import re

import pytest

from load import load
from reloads import File, one_route, reload
from sections import ALTERNATIVES, COMPANIONS, PLACES, SECTIONS, SETTINGS
from server import run_gateway

# Files that are wrong as a whole, and what their line says.
DOCUMENTS = {
    "nothing": ("", "1:1: the file is empty; expected a mapping"),
    "comments only": ("# x\n", "1:1: the file is empty; expected a mapping"),
    "a document without anything": ("---\n", "2:1: expected a mapping"),
    "a list": ("- 1\n", "1:1: expected a mapping"),
    "two documents": ("deadline: 1s\n---\ndeadline: 2s\n", "2:1: "),
    "a key twice": ("deadline: 1s\ndrain:\n  delay: 1s\n  delay: 2s\n", "4:3: "),
    "a setting twice": ("drain-delay: 1s\ndrain: {delay: 2s}\n", "2:9: "),
    "a tag": ("deadline: !!str 1s\n", "1:11: "),
    "a merge key": ("a: &a {b: 1}\n<<: *a\n", "2:1: "),
    "an unknown alias": ("deadline: *a\n", "1:11: "),
    "a bracket that stays open": ("routes: [\n", "2:1: "),
    "a tab": ("drain:\n\tdelay: 1s\n", "2:1: "),
    "too deep": (f"deadline: {'[' * 70}{']' * 70}\n", "1:"),
    "no UTF-8": (b"deadline: 1s\nlisten: \xff\n", ""),
    "a NUL": (b"deadline: 1s\n\0\n", ""),
    "too long": (b"#" * (5 << 20), ""),
}


def forms(field):
    """A field's schema, and those of which it may meet any."""
    yield field
    for form in field.get("anyOf", ()):
        yield from forms(form)


def wrong_values(field):
    """Values that the field must not have: of another kind, and just outside what is allowed."""
    yield "[[x]]"
    for form in forms(field):
        kinds = form.get("type", [])
        if "enum" in form:
            yield "nonsense"
        if "m|h" in form.get("pattern", ""):
            yield from ("-1s", "1", "999999h", "1 s")
        elif "integer" in kinds:
            yield from (form["minimum"] - 1, form["maximum"] + 1, "1.5", "x", "''", f"'{form['maximum'] + 1}'")
        elif "$ref" in form:
            yield "nonsense"


def faults(section):
    """Files, and where and of what they complain."""
    path = PLACES[section][1]
    for name, field in SECTIONS[section]["properties"].items():
        for value in wrong_values(field):
            yield fault(section, name, f"{name}: {value}", len(name) + 2, f"{path}.{name}")
    yield fault(section, "nonsense", "nonsense: 1", 0, f"{path}.nonsense")


def fault(section, name, text, offset, path):
    template = PLACES[section][0]
    before = template.split("%s")[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n") + offset
    others = {name} | next((names for names in ALTERNATIVES if name in names), set())
    companions = [f", {key}: {value}" for key, value in COMPANIONS.get(section, {}).items() if key not in others]
    return template.replace("%s", text + "".join(companions)), f"{line}:{column}: {path}"


def setting_faults():
    for name in SETTINGS:
        yield f"{name}: [[x]]\n", f"1:{len(name) + 3}: {name}"
    yield "nonsense: 1\n", "1:1: nonsense"
    yield "drain: {nonsense: 1}\n", "1:9: drain.nonsense"


def expect_line(line, file, text, place):
    """A line names the place, or one within it: an item of a list, or a field that a mapping lacks."""
    assert line.startswith(f"{file}:"), (text, line)
    due_line, due_column, field = place.split(":", 2)
    found_line, found_column, found = line.removeprefix(f"{file}:").split(":", 2)
    assert found_line == due_line and int(found_column) >= int(due_column), (text, line)
    assert re.match(re.escape(field) + r"[.\[:]", found), (text, line)


ALL = {**{section: list(faults(section)) for section in PLACES}, "settings": list(setting_faults())}


def test_every_section_is_asked():
    assert set(PLACES) == set(SECTIONS)
    assert sum(map(len, ALL.values())) > 400


@pytest.mark.parametrize("section", ALL)
def test_a_wrong_field_is_one_line_with_its_place(tmp_path, section):
    file = tmp_path / "weir.yaml"
    for text, place in ALL[section]:
        file.write_text(text)
        code, output, errors = run_gateway("check", WEIR_CONFIG=file)
        assert (code, output, len(errors)) == (78, "", 1), (text, code, output, errors)
        expect_line(errors[0].removeprefix("weir: "), file, text, place)


@pytest.mark.parametrize("section", sorted(COMPANIONS.keys() - {"check", "route"}))
def test_a_field_that_must_be_given_is_named(tmp_path, section):
    template, path = PLACES[section]
    assert set(COMPANIONS[section]) == set(SECTIONS[section]["required"])
    file = tmp_path / "weir.yaml"
    for missing in COMPANIONS[section]:
        others = [f"{key}: {value}" for key, value in COMPANIONS[section].items() if key != missing]
        file.write_text(template.replace("%s", ", ".join(others)))
        code, output, errors = run_gateway("check", WEIR_CONFIG=file)
        assert (code, output, len(errors)) == (78, "", 1)
        assert errors[0].endswith(f": {path}: {missing} is missing"), errors


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_that_is_wrong_as_a_whole_is_one_line(tmp_path, name):
    data, place = DOCUMENTS[name]
    file = tmp_path / "weir.yaml"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    code, output, errors = run_gateway("check", WEIR_CONFIG=file)
    assert (code, output, len(errors)) == (78, "", 1), errors
    assert errors[0].startswith(f"weir: {file}:{place}"), errors


def test_a_folder_is_no_file(tmp_path):
    code, output, errors = run_gateway("check", WEIR_CONFIG=tmp_path)
    assert (code, output, len(errors)) == (78, "", 1)
    assert errors[0].startswith(f'weir: WEIR_CONFIG="{tmp_path}": the file cannot be read: '), errors


def test_a_gateway_under_load_loses_nothing_by_any_of_them(tmp_path, gateway_of, upstream):
    file, endpoint = File(tmp_path), upstream()
    server = gateway_of(file, one_route(endpoint))
    before = json.loads(server.ask_admin("/config")[1])
    wrong = [pair for section in ALL.values() for pair in section]
    with load(server) as running:
        admin = server.admin_connection()
        for text, place in wrong:
            file.write(text)
            status, line = reload(server, admin)
            assert status == 422 and line.count("\n") == 1, (text, status, line)
            expect_line(line, file.path, text, place)
        running.wait_for(100)
        assert set(running.stop()) == {200}
    metrics = server.metrics(admin)
    assert metrics["weir_configuration_rejected"] == 1
    assert metrics['weir_reloads_total{outcome="applied"}'] == 0
    assert metrics['weir_reloads_total{outcome="rejected"}'] >= len(wrong)
    page = json.loads(server.ask_admin("/config", admin)[1])
    # What is used of the memory is another figure each time.
    assert page.pop("rejected") and {**page, "budget": None} == {**before, "budget": None}
    # The connections that served before serve on.
    assert endpoint.open_count == len(endpoint.connections)
    file.write(one_route(endpoint, ", deadline: 2s"))
    assert reload(server, admin)[1]["version"] == 2
    assert server.metric("weir_configuration_rejected", admin) == 0
