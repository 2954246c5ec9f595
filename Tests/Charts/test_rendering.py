# SPDX-License-Identifier: Apache-2.0
# What helm renders is of the form that several versions of Kubernetes ask for, whatever is switched on.

import json
import re

import pytest

from combinations import ALL, APP, FEATURES, MODES, PAIRS, merged
from rendering import CHART, VERSION, VERSIONS, Refused, gateway_of, helm, of_kind, pod_of, run
from schemas import problems


def check(objects, version):
    assert objects
    assert not [line for one in objects for line in problems(one, version)]
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    for one in objects:
        assert len(one["metadata"]["name"]) <= 63 or one["kind"] == "APIService"


@pytest.mark.parametrize("mode, feature", PAIRS)
def test_each_feature_is_what_kubernetes_asks_for(mode, feature):
    check(helm(merged(MODES[mode], FEATURES[feature])), VERSION)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "values", [{}, {"autoscaling": {"mode": "hpa"}, "adapter": {"enabled": True}}, ALL], ids=["none", "hpa", "all"]
)
def test_each_version_of_kubernetes(mode, version, values):
    if mode.startswith("sidecar") and version < "1.29":
        with pytest.raises(Refused, match=f"sidecar needs Kubernetes 1.29 .*; this is v{version}"):
            helm(merged(MODES[mode], values), version)
        return
    check(helm(merged(MODES[mode], values), version), version)


def test_old_clusters_get_the_versions_that_they_serve():
    values = {"autoscaling": {"mode": "hpa"}}
    old, new = helm(values, "1.20.2"), helm(values)
    assert of_kind(old, "HorizontalPodAutoscaler")["apiVersion"] == "autoscaling/v2beta2"
    assert of_kind(new, "HorizontalPodAutoscaler")["apiVersion"] == "autoscaling/v2"
    assert of_kind(old, "PodDisruptionBudget")["apiVersion"] == "policy/v1beta1"
    assert of_kind(new, "PodDisruptionBudget")["apiVersion"] == "policy/v1"
    # The last release that has the old form's schema.
    assert not problems(of_kind(old, "HorizontalPodAutoscaler"), "1.25.0")
    # Fields that came later are refused there.
    assert "unhealthyPodEvictionPolicy" not in of_kind(old, "PodDisruptionBudget")["spec"]
    assert all("matchLabelKeys" not in one for one in pod_of(old)["topologySpreadConstraints"])
    with pytest.raises(Refused, match="1.19.0"):
        helm({}, "1.19.0")


@pytest.mark.parametrize("mode", MODES)
def test_long_names_are_cut_to_what_the_cluster_takes(mode):
    long = {"fullnameOverride": "a-very-long-name-" * 6 + "a", "nameOverride": "another-very-long-name-" * 4 + "a"}
    for one in helm(merged(ALL, MODES[mode], long)):
        # Names of these become labels of DNS.
        if one["kind"] in ("Service", "Deployment", "Pod"):
            assert len(one["metadata"]["name"]) <= 63 and not one["metadata"]["name"].endswith("-")
        assert all(len(value) <= 63 for value in one["metadata"].get("labels", {}).values())


def test_a_library_makes_nothing():
    assert helm(merged(ALL, {"mode": "library"})) == []


def test_helm_finds_nothing_to_say():
    text = run("helm", "lint", "--strict", CHART)
    assert "0 chart(s) failed" in text and "WARNING" not in text and "ERROR" not in text


def test_no_rendering_names_what_is_not_there():
    """Every volume that is mounted is one of the pod's, and every port that is asked for one of the container's."""
    for mode in MODES:
        objects = helm(merged(ALL, MODES[mode]))
        for one in objects:
            pod = one["spec"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get("spec")
            if not pod:
                continue
            volumes = {volume["name"] for volume in pod.get("volumes", [])}
            for container in pod["containers"] + pod.get("initContainers", []):
                assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
                ports = {port["name"] for port in container.get("ports", [])}
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    asked = container.get(probe, {}).get("httpGet", {}).get("port")
                    assert asked is None or asked in ports
        numbers = {port["containerPort"] for port in gateway_of(objects)["ports"]}
        for name in ("weir", "weir-admin"):
            assert {port["targetPort"] for port in of_kind(objects, "Service", name)["spec"]["ports"]} <= numbers


def test_selectors_find_the_pods_and_no_others():
    objects = helm(merged(ALL, {"autoscaling": {"mode": "hpa"}}))
    pods = {
        one["metadata"]["name"]: (one["metadata"] if one["kind"] == "Pod" else one["spec"]["template"]["metadata"])[
            "labels"
        ]
        for one in objects
        if one["kind"] in ("Deployment", "Pod")
    }
    assert set(pods) == {"weir", "weir-metrics-adapter", "weir-test"}

    def found(selector):
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    for kind, name, path in [
        ("Deployment", "weir", "selector.matchLabels"),
        ("Service", "weir", "selector"),
        ("Service", "weir-admin", "selector"),
        ("PodDisruptionBudget", "weir", "selector.matchLabels"),
        ("NetworkPolicy", "weir", "podSelector.matchLabels"),
        ("Deployment", "weir-metrics-adapter", "selector.matchLabels"),
        ("Service", "weir-metrics-adapter", "selector"),
    ]:
        selector = of_kind(objects, kind, name)["spec"]
        for key in path.split("."):
            selector = selector[key]
        assert found(selector) == {name.removesuffix("-admin")}, (kind, name)
    monitor = of_kind(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    services = [one["metadata"]["name"] for one in objects
                if one["kind"] == "Service" and monitor.items() <= one["metadata"]["labels"].items()]  # fmt: skip
    assert services == ["weir-admin"]


def test_no_file_of_the_chart_names_a_registry():
    """Where an image comes from is for those who install it to say."""
    images = {one["image"] for mode in MODES for one in
              [*pod_of(helm(MODES[mode]))["containers"], gateway_of(helm(MODES[mode]))]} - {APP["image"]}  # fmt: skip
    assert images and not [image for image in images if "/" in image]
    assert re.search(r"repository: weir\n", (CHART / "values.yaml").read_text())


def notes(values):
    text = run(
        "helm", "install", "weir", CHART, "--namespace", "shop", "--dry-run=client", "--set-json", json.dumps(values)
    )
    return text.split("NOTES:", 1)[1]


def test_notes_say_where_it_is_and_what_asks_for_it():
    plain = notes({})
    assert "in front of its demo" in plain and "http://weir.shop.svc.cluster.local:80\n" in plain
    assert "WARNING" not in plain and "NOTE:" not in plain
    assert "demo" not in notes(MODES["gateway"])
    assert "get apiservice v1beta2.custom.metrics.k8s.io" in notes({"adapter": {"enabled": True}})
    scaled = notes({"adapter": {"enabled": True}, "autoscaling": {"mode": "hpa"}})
    assert "which the metrics adapter of this release serves" in scaled
