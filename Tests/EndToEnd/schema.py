# SPDX-License-Identifier: Apache-2.0
# What the JSON schema says of a file, read as editors read it, by a validator that nobody here wrote.

import re

import jsonschema
import yaml

from sections import SCHEMA

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read files: `off` is a text."""

    yaml_implicit_resolvers = {}


for kind, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
]:
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^({pattern})$"), list(first))


def schema_faults(text):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(yaml.load(text, CoreLoader))]
