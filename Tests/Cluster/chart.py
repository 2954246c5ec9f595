# SPDX-License-Identifier: Apache-2.0
# The chart as it is installed: rendered by helm for this version of Kubernetes, and created object by object.

import contextlib
import subprocess

import yaml

from plane import RECOVERY_SECONDS
from polling import eventually
from server import REPOSITORY

VERSION = "1.20.2"
# What helm would find out from the cluster.
APIS = "autoscaling/v2beta2,policy/v1beta1,apiregistration.k8s.io/v1"

def render(values, name="weir"):
    command = [REPOSITORY / ".venv/bin/helm", "template", name, REPOSITORY / "helm/weir", "--namespace", "default"]
    command += ["--kube-version", VERSION, "--api-versions", APIS, "--no-hooks", "--values", "-"]
    result = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return [object for object in yaml.safe_load_all(result.stdout) if object]


@contextlib.contextmanager
def installed(cluster, values):
    """Removed behind it, with its pods."""
    objects = render(values)
    try:
        for object in objects:
            cluster.apply(object)
        yield objects
    finally:
        for object in reversed(objects):
            cluster.remove(object)
        eventually(lambda: not of_release(cluster), "the pods of the chart are gone", RECOVERY_SECONDS)


def of_release(cluster):
    return cluster.list("Pod", labels="app.kubernetes.io/instance=weir")
