# SPDX-License-Identifier: Apache-2.0
# The manifests of the gateway in a cluster: they fit each other, those that scale it, the documents, and the binary.

import re

import pytest
import yaml

from server import GATEWAY, REPOSITORY, Server
from test_probes import PROBES, numbers, settings_of  # noqa: F401: a fixture

FOLDER = REPOSITORY / "manifests"


def manifest(name):
    [found] = list(yaml.safe_load_all((FOLDER / name).read_text()))
    return found


@pytest.fixture
def deployment():
    return manifest("base/deployment.yaml")


@pytest.fixture
def pod(deployment):
    return deployment["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    [found] = pod["containers"]
    return found


def ports(container):
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def test_the_deployment_selects_its_own_pods_and_is_what_the_scalers_scale(deployment):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert "replicas" not in deployment["spec"]
    for name in ["keda/scaledobject.yaml", "keda-prometheus/scaledobject.yaml", "hpa/hpa.yaml"]:
        scaler = manifest(name)
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


@pytest.mark.parametrize("name, port", [("base/service.yaml", "http"), ("base/service-admin.yaml", "admin")])
def test_a_service_finds_the_pods_and_shows_one_port_of_theirs(deployment, container, name, port):
    service = manifest(name)
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] and service["spec"]["selector"].items() <= labels.items()
    [only] = service["spec"]["ports"]
    # By name or by number, both are a port's of the container.
    assert only["targetPort"] in (port, ports(container)[port])


def test_the_probes_are_those_that_are_recommended(pod, container, numbers):
    for kind, path in zip(("startupProbe", "readinessProbe", "livenessProbe"), PROBES):
        assert container[kind] == numbers[kind]
        assert container[kind]["httpGet"] == {"path": path, "port": "admin"}
    assert container["ports"] == numbers["ports"]
    assert pod["terminationGracePeriodSeconds"] == numbers["terminationGracePeriodSeconds"]
    # There is nothing in the image that a hook could run.
    assert "lifecycle" not in container


def test_the_container_is_locked_in_as_the_image_allows(pod, container):
    text = (REPOSITORY / "docs/image.md").read_text()
    documented = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.S)[1])
    [shown] = documented["containers"]
    assert pod["securityContext"] == documented["securityContext"]
    assert container["securityContext"] == shown["securityContext"]
    assert (container["image"], container["resources"]) == (shown["image"], shown["resources"])
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_gateway_starts_with_the_environment_that_it_is_given_there(container):
    *drain, millis, request = container["env"]
    assert millis["valueFrom"] == {"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}}
    # As the kubelet puts it together.
    asked = container["resources"]["requests"]["cpu"].removesuffix("m")
    given = {one["name"]: one["value"] for one in drain}
    given |= {millis["name"]: asked, request["name"]: request["value"].replace(f"$({millis['name']})", asked)}
    server = Server(given, binary=GATEWAY)
    try:
        settings = settings_of(server)
        assert settings["WEIR_CPU_REQUEST"]["value"] == "250m"
        # What it says of the drain is what holds without it, too: the grace period is for that.
        assert [one["name"] for one in drain] == ["WEIR_DRAIN_DELAY", "WEIR_DRAIN_TIMEOUT"]
        assert all(settings[one["name"]]["default"] == one["value"] for one in drain)
        assert settings["WEIR_LISTEN"]["default"] == f":{ports(container)['http']}"
        assert settings["WEIR_ADMIN_LISTEN"]["default"] == f":{ports(container)['admin']}"
        name, version = container["image"].split(":")
        assert name == "weir" and server.metric(f'weir_build_info{{version="{version}"}}') == 1
    finally:
        server.stop()


def test_the_settings_that_it_suggests_are_settings():
    text = (FOLDER / "base/deployment.yaml").read_text()
    documented = (REPOSITORY / "docs/configuration.md").read_text()
    names = set(re.findall(r"\bWEIR_[A-Z_]+", text))
    assert "WEIR_UPSTREAM" in names and all(f"| `{name}` |" in documented for name in names)
