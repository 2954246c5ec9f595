# SPDX-License-Identifier: Apache-2.0
# What the rule for Gatekeeper refuses, and that it lets through what the chart renders.

import copy
import json

import opa_eval
import pytest
import yaml

from combinations import MODES, merged
from rendering import MANIFESTS, helm, of_kind, pod_of

IMAGE = {"image": {"repository": "registry.example.com/edge/weir"}}


@pytest.fixture(scope="module")
def violations(tmp_path_factory):
    """What the rule says of a pod, in the order of the texts."""
    template = yaml.safe_load((MANIFESTS / "gatekeeper/template.yaml").read_text())
    constraint = yaml.safe_load((MANIFESTS / "gatekeeper/constraint.yaml").read_text())
    [target] = template["spec"]["targets"]
    assert constraint["kind"] == template["spec"]["crd"]["spec"]["names"]["kind"]
    assert template["metadata"]["name"] == constraint["kind"].lower()
    file = tmp_path_factory.mktemp("policy") / "rule.rego"
    file.write_text(target["rego"])
    rule = opa_eval.OpaEval(str(file), query="data.weirimage.violation")

    def ask(pod):
        review = {"review": {"object": {"spec": pod}}, "parameters": constraint["spec"]["parameters"]}
        return sorted(found["msg"] for found in json.loads(rule.evaluate(json.dumps(review))))

    return ask


@pytest.mark.parametrize("mode", MODES)
def test_what_the_chart_renders_passes(violations, mode):
    objects = helm(merged(MODES[mode], IMAGE))
    assert violations(pod_of(objects)) == []
    assert violations(of_kind(objects, "Pod")["spec"]) == []


@pytest.mark.parametrize("mode", MODES)
def test_an_image_from_elsewhere_is_refused_wherever_it_is(violations, mode):
    for image in [
        "weir:0.1.0",
        "registry.example.org/weir",
        "registry.example.com.example.org/weir@sha256:" + "0" * 64,
    ]:
        pod = copy.deepcopy(pod_of(helm(merged(MODES[mode], IMAGE))))
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            if container["name"] == "weir":
                container["image"] = image
        assert violations(pod) == [f'container weir: image {image}, of none of ["registry.example.com/"]']


def test_a_container_that_may_run_as_root_is_refused(violations):
    pod = {"containers": [{"name": "a", "image": "registry.example.com/weir:1"}]}
    assert violations(pod) == ["container a: runAsNonRoot must be true"]
    pod["securityContext"] = {"runAsNonRoot": True, "runAsUser": 0}
    assert violations(pod) == ["container a: runAsUser must not be 0"]
    pod["containers"][0]["securityContext"] = {"runAsUser": 65532}
    assert violations(pod) == []
    pod["containers"][0]["securityContext"] = {"runAsNonRoot": False}
    assert "container a: runAsNonRoot must be true" in violations(pod)


def test_other_images_are_nobody_elses_business(violations):
    assert (
        violations({"containers": [{"name": "a", "image": "weirdo:1"}, {"name": "b", "image": "example.org/weir/app"}]})
        == []
    )
