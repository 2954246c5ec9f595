# SPDX-License-Identifier: Apache-2.0
# Whether an object is one: by the schemas of Kubernetes, and for what is not of Kubernetes by definitions.yaml.

import functools
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource

FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
DEFINITIONS = yaml.safe_load((Path(__file__).parent / "definitions.yaml").read_text())


@functools.cache
def _definitions(version):
    return Resource.from_contents(json.loads((FOLDER / f"v{version}-local-strict/_definitions.json").read_text()))


@functools.cache
def _validator(version, api_version, kind):
    group = api_version.split("/")[0].split(".")[0] + "-" if "/" in api_version else ""
    file = FOLDER / f"v{version}-local-strict" / f"{kind}-{group}{api_version.split('/')[-1]}.json".lower()
    if file.exists():
        schema = json.loads(file.read_text())
        registry = _definitions(version) @ (Resource.from_contents(schema) @ Registry())
        return jsonschema.Draft202012Validator(schema, registry=registry)
    definition = DEFINITIONS.get(f"{api_version}/{kind}")
    assert definition, f"neither Kubernetes {version} nor definitions.yaml has {api_version} {kind}"
    return jsonschema.Draft202012Validator(_strict(definition))


def _strict(definition):
    """A schema out of the short form: a mapping has just these keys, `key!` must be there, a list of one has items of
    that form, a list of several is one of these, and `any` is anything."""
    if definition == "any":
        return {}
    if isinstance(definition, dict) and "<" in definition:
        return {"type": "object", "additionalProperties": _strict(definition["<"])}
    if isinstance(definition, dict):
        fields = {name.rstrip("!"): _strict(one) for name, one in definition.items()}
        needed = [name.rstrip("!") for name in definition if name.endswith("!")]
        return {"type": "object", "additionalProperties": False, "properties": fields, "required": needed}
    if isinstance(definition, list) and len(definition) == 1:
        return {"type": "array", "items": _strict(definition[0])}
    if isinstance(definition, list):
        return {"enum": definition}
    return {"type": definition}


METADATA = {"name": "string", "namespace": "string", "labels": {"<": "string"}, "annotations": {"<": "string"}}


def problems(one, version):
    """What is wrong with an object, a line each."""
    validator = _validator(version, one["apiVersion"], one["kind"])
    checked = one
    if f"{one['apiVersion']}/{one['kind']}" in DEFINITIONS:
        jsonschema.validate(one["metadata"], _strict(METADATA))
        checked = {key: value for key, value in one.items() if key not in ("apiVersion", "kind", "metadata")}
    return [
        f"{one['kind']} {one['metadata'].get('name')}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(checked)
    ]
