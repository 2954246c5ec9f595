# SPDX-License-Identifier: Apache-2.0
# The plain manifests are of the form that Kubernetes asks for, and what the chart makes of the values beside them.

import copy
import json
import re
import shutil

import pytest
import yaml

from rendering import MANIFESTS, VERSION, gateway_of, helm, kustomize, load, of_kind, variables
from schemas import problems

OVERLAYS = ["hpa", "keda", "keda-prometheus", "sidecar", "canary", "monitoring"]
KUSTOMIZED = ["base", *OVERLAYS]
# Applied as they are.
PLAIN = ["adapter", "rollouts", "gateway-api", "gatekeeper"]
# Of a chart's release alone.
OF_HELM = {"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}


def plain(folder):
    return [one for file in sorted((MANIFESTS / folder).glob("*.yaml")) for one in load(file.read_text())]


def compared(objects):
    """Objects by kind and name, without what only one of the two has."""
    result = {}
    for one in objects:
        if "helm.sh/hook" in one["metadata"].get("annotations", {}):
            continue
        one = strip(copy.deepcopy(one))
        one["metadata"].pop("namespace")
        # What scales it says how many.
        if one["kind"] == "Deployment":
            one["spec"].pop("replicas", None)
            for container in one["spec"]["template"]["spec"]["containers"]:
                container.get("env", []).sort(key=lambda variable: variable["name"])
        if one["kind"] == "ConfigMap":
            one["data"] = {name: yaml.safe_load(text) for name, text in one["data"].items()}
        result[one["kind"], one["metadata"]["name"]] = one
    return result


def strip(value):
    if isinstance(value, dict):
        return {key: strip(one) for key, one in value.items() if key not in OF_HELM}
    if isinstance(value, list):
        return [strip(one) for one in value]
    if isinstance(value, str):
        return value.replace('namespace="shop"', 'namespace="default"').replace("-admin.shop.", "-admin.default.")
    return value


@pytest.mark.parametrize("folder", OVERLAYS)
def test_an_overlay_is_what_the_chart_makes_of_its_values(folder):
    values = yaml.safe_load((MANIFESTS / folder / "values.yaml").read_text())
    assert compared(kustomize(MANIFESTS / folder)) == compared(helm(values))


def test_the_base_is_the_chart_without_values():
    assert compared(kustomize(MANIFESTS / "base")) == compared(helm())


@pytest.mark.parametrize("version", ["1.29.0", "1.33.0", "1.37.0"])
@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_an_overlay_is_what_kubernetes_asks_for(folder, version):
    objects = kustomize(MANIFESTS / folder)
    assert not [line for one in objects for line in problems(one, version)]
    assert {one["metadata"]["namespace"] for one in objects} == {"default"}


@pytest.mark.parametrize("folder", PLAIN)
def test_an_example_is_what_its_definitions_ask_for(folder):
    objects = plain(folder)
    assert objects and not [line for one in objects for line in problems(one, VERSION)]


def test_the_adapter_is_what_the_chart_makes():
    """In another namespace."""

    def named(objects):
        return {(one["kind"], one["metadata"]["name"]): strip(one) for one in objects}

    made = json.loads(json.dumps(helm({"adapter": {"enabled": True}})).replace('"shop', '"weir'))
    gateway = named(json.loads(json.dumps(helm()).replace('"shop', '"weir')))
    expected = {key: one for key, one in named(made).items() if key not in gateway}
    assert named(one for one in plain("adapter") if one["kind"] != "Namespace") == expected


def test_the_scrape_of_a_rollout_is_what_the_chart_makes():
    values = {"podMonitor": {"enabled": True, "podTargetLabels": ["rollouts-pod-template-hash"]}}
    key = ("PodMonitor", "weir")
    assert compared(plain("rollouts"))[key] == compared(helm(values))[key]


def test_the_example_of_a_kustomization_of_your_own(tmp_path):
    [text] = re.findall(r"```yaml\n(.*?)```", (MANIFESTS / "README.md").read_text(), re.S)
    shutil.copytree(MANIFESTS, tmp_path / "weir/manifests")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/kustomization.yaml").write_text(text)
    objects = kustomize(tmp_path / "shop")
    assert not [line for one in objects for line in problems(one, VERSION)]
    assert {one["metadata"]["namespace"] for one in objects} == {"shop"}
    container = gateway_of(objects)
    assert container["image"] == "registry.example.com/weir:0.1.0"
    assert variables(container)["WEIR_UPSTREAM"] == "http://orders.shop.svc.cluster.local:3000"
    [trigger] = of_kind(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["url"] == "http://weir-admin.shop.svc.cluster.local:9901/queue"


def test_every_folder_is_tested():
    folders = {file.name for file in MANIFESTS.iterdir() if file.is_dir()}
    assert folders == {*KUSTOMIZED, *PLAIN, "systemd"}


def test_a_change_of_the_weights_is_a_reload():
    objects = kustomize(MANIFESTS / "canary")
    assert of_kind(objects, "ConfigMap")["metadata"]["name"] == "weir"
    text = of_kind(objects, "ConfigMap")["data"]["weir.yaml"]
    [route] = yaml.safe_load(text)["routes"]
    assert sum(one["weight"] for one in route["split"]) == 100
