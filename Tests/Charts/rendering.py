# SPDX-License-Identifier: Apache-2.0
# What helm makes of the chart, and kubectl of the manifests: as lists of objects.

import functools
import json
import os
import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "helm/weir"
MANIFESTS = REPOSITORY / "manifests"
TOOLS = Path(os.environ.get("WEIR_CHART_TOOLS", REPOSITORY / ".venv/bin"))
# The versions whose schemas are asked: the oldest of which there is one, those at which templates change, the newest.
VERSIONS = ["1.25.0", "1.27.0", "1.29.0", "1.33.0", "1.37.0"]
VERSION = "1.33.0"
# What the library of YAML takes for a date or a time stays a text, as for Kubernetes.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(Exception):
    """What helm said instead of rendering."""


def run(tool, *arguments):
    result = subprocess.run([TOOLS / tool, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if result.returncode:
        raise Refused(result.stderr)
    return result.stdout


def load(text):
    return [one for one in yaml.load_all(text, LOADER) if one]


@functools.cache
def _helm(values, version, chart):
    arguments = ["template", "weir", chart, "--namespace", "shop", "--kube-version", version, "--values", "/dev/stdin"]
    result = subprocess.run([TOOLS / "helm", *arguments], input=values, capture_output=True, text=True, timeout=60)
    if result.returncode:
        raise Refused(result.stderr)
    return result.stdout


def helm(values=None, version=VERSION, chart=CHART):
    """The objects of a release called `weir` in the namespace `shop`."""
    return load(_helm(json.dumps(values or {}), version, str(chart)))


def kustomize(folder):
    return load(run("kubectl", "kustomize", folder))


def of_kind(objects, kind, name=None):
    """The only object of that kind, or of that kind and name."""
    [found] = [one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    return found


def pod_of(objects, name="weir"):
    return of_kind(objects, "Deployment", name)["spec"]["template"]["spec"]


def gateway_of(objects):
    """The gateway's container, wherever it is."""
    pods = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]
    containers = [one for pod in pods for one in [*pod["containers"], *pod.get("initContainers", [])]]
    [found] = [one for one in containers if one["name"] == "weir"]
    return found


def variables(container):
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
