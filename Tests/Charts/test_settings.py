# SPDX-License-Identifier: Apache-2.0
# What the pods are given is what the real program takes: `weir check`, in the environment of a rendered container.

import subprocess

import pytest
import yaml

from combinations import FEATURES, MODES, PAIRS, merged
from rendering import MANIFESTS, REPOSITORY, gateway_of, helm, kustomize, of_kind
from server import GATEWAY

# Not those whose files are in Secrets of a cluster, nor those that are about other pods.
CHECKED = [pair for pair in PAIRS if not pair[1].startswith(("tls", "adapter"))]


def check(objects, folder):
    """What `weir check` says with the container's variables, as the kubelet puts them together, and its file."""
    container = gateway_of(objects)
    given = {}
    for one in container["env"]:
        source = one.get("valueFrom", {})
        if "resourceFieldRef" in source:
            assert source["resourceFieldRef"] == {"resource": "requests.cpu", "divisor": "1m"}
            asked = str(container["resources"]["requests"]["cpu"])
            given[one["name"]] = asked[:-1] if asked.endswith("m") else str(int(float(asked) * 1000))
        elif "fieldRef" in source:
            assert source["fieldRef"] == {"fieldPath": "metadata.labels['topology.kubernetes.io/zone']"}
            given[one["name"]] = "eu-1"
        elif "secretKeyRef" in source:
            given[one["name"]] = {"WEIR_REDIS": "redis://redis:6379", "WEIR_ADMIN_TOKEN": "0123456789abcdef"}[
                one["name"]
            ]
        else:
            given[one["name"]] = one["value"].replace("$(CPU_REQUEST_MILLIS)", given.get("CPU_REQUEST_MILLIS", ""))
    maps = [one for one in objects if one["kind"] == "ConfigMap" and "weir.yaml" in one["data"]]
    if "WEIR_CONFIG" in given:
        assert given["WEIR_CONFIG"] == "/etc/weir/weir.yaml"
        given["WEIR_CONFIG"] = str(folder / "weir.yaml")
        (folder / "weir.yaml").write_text(maps[0]["data"]["weir.yaml"] if maps else "{}\n")
    # Redis counts limits of the cluster alone.
    if "WEIR_REDIS" in given:
        given["WEIR_RATE_LIMIT_SCOPE"] = "cluster"
    result = subprocess.run([GATEWAY, "check"], env=given, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.startswith("WEIR_")}


@pytest.mark.parametrize("mode, feature", CHECKED)
def test_a_rendered_container_starts(mode, feature, tmp_path):
    check(helm(merged(MODES[mode], FEATURES[feature])), tmp_path)


def test_what_is_given_arrives(tmp_path):
    rows = check(helm(merged(MODES["gateway"], FEATURES["settings"], FEATURES["drain"], FEATURES["file"])), tmp_path)
    assert rows["WEIR_CONCURRENCY"][1] == "1000000" and rows["WEIR_DRAIN_TIMEOUT"][1] == "2m"
    assert rows["WEIR_QUEUE"][1] == "1000000"
    assert rows["WEIR_CPU_REQUEST"][1] == "250m"


@pytest.mark.parametrize("folder", ["base", "hpa", "keda", "sidecar", "canary"])
def test_a_container_of_the_manifests_starts(folder, tmp_path):
    check(kustomize(MANIFESTS / folder), tmp_path)


def test_the_files_in_the_documents_are_right(tmp_path):
    text = (REPOSITORY / "docs/kubernetes.md").read_text()
    blocks = [block for block in text.split("```yaml\n")[1:] if block.startswith("# values.yaml\n")]
    routed = [values for values in (yaml.safe_load(block.split("```")[0]) for block in blocks) if "config" in values]
    assert len(routed) == 1
    objects = helm(routed[0])
    assert "routes" in yaml.safe_load(of_kind(objects, "ConfigMap")["data"]["weir.yaml"])
    check(objects, tmp_path)


@pytest.mark.parametrize("feature", ["adapter", "adapter, cert-manager"])
def test_the_adapter_takes_what_it_is_given(feature):
    """It gets as far as asking where the cluster is."""
    container = of_kind(helm(FEATURES[feature]), "Deployment", "weir-metrics-adapter")
    [container] = container["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert given["WEIR_ADAPTER_SERVICE"] == "weir-metrics-adapter" and container["args"][0] == "metrics-adapter"
    result = subprocess.run([GATEWAY, "metrics-adapter"], env=given, capture_output=True, text=True, timeout=30)
    assert result.returncode == 78 and "this process is in no cluster" in result.stderr
