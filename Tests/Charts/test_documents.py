# SPDX-License-Identifier: Apache-2.0
# The documents about clusters: their links lead somewhere, their commands and snippets are of what there is.

import re

import pytest
import yaml

from combinations import MODES
from rendering import CHART, MANIFESTS, REPOSITORY, gateway_of, helm, kustomize, of_kind, pod_of

DOCUMENTS = [REPOSITORY / "README.md", CHART / "README.md", REPOSITORY / "manifests/monitoring/README.md",
             REPOSITORY / "manifests/README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]  # fmt: skip
OURS = ["kubernetes", "autoscaling", "troubleshooting", "runbooks"]


def anchors(text):
    """What the headings of a document are called in links, as GitHub does it."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {
        name if names[:index].count(name) == 0 else f"{name}-{names[:index].count(name)}"
        for index, name in enumerate(names)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("name", OURS)
def test_every_setting_metric_and_value_that_is_named_is_one(name):
    text = (REPOSITORY / f"docs/{name}.md").read_text()
    settings = "".join((REPOSITORY / "docs" / file).read_text() for file in ("configuration.md", "adapter.md"))
    for setting in set(re.findall(r"\bWEIR_[A-Z_]+\b", text)):
        assert f"| `{setting}` |" in settings, setting
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in set(re.findall(r"--set(?:-json|-file)? '?([a-zA-Z.]+)=", text)):
        found = values
        for key in path.split("."):
            if found == {}:
                break
            assert key in found, path
            found = found[key]


@pytest.mark.parametrize("name", OURS)
def test_every_folder_that_is_applied_is_there(name):
    text = (REPOSITORY / f"docs/{name}.md").read_text() + (REPOSITORY / "README.md").read_text()
    for path in set(re.findall(r"(?:apply|delete|diff) -[fk] ([\w./-]+)", text)):
        assert (REPOSITORY / path).exists(), path


def test_every_file_of_values_in_the_documents_renders():
    count = 0
    for name in OURS:
        text = (REPOSITORY / f"docs/{name}.md").read_text()
        for block in re.findall(r"```yaml\n# values\.yaml\n(.*?)```", text, re.S):
            assert of_kind(helm(yaml.safe_load(block)), "Deployment", "weir")
            count += 1
    assert count >= 3


PROBES = ["startupProbe", "readinessProbe", "livenessProbe"]


def rendered(name):
    """What the chart or the manifests make of the gateway in front of a service, and beside it."""
    if name in MODES:
        return helm(MODES[name])
    return kustomize(MANIFESTS / name)


@pytest.mark.parametrize("name", ["gateway", "sidecar", "base"])
def test_the_numbers_of_the_probes_are_those_that_are_explained(name):
    text = (REPOSITORY / "docs/probes.md").read_text()
    explained = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.S)[1])
    container = gateway_of(rendered(name))
    # Every field, so that what is in one place only shows.
    assert {probe: container[probe] for probe in PROBES} == {probe: explained[probe] for probe in PROBES}
    ports = [{key: port[key] for key in ("name", "containerPort")} for port in container["ports"]]
    assert ports == explained["ports"]
    if name != "sidecar":
        # Beside a service its end is in it, too.
        assert pod_of(rendered(name))["terminationGracePeriodSeconds"] == explained["terminationGracePeriodSeconds"]


def test_the_table_explains_the_numbers_that_there_are():
    rows = re.findall(r"^\| (startup|readiness|liveness|timeouts|grace): ([^|]*) \|", (REPOSITORY / "docs/probes.md").read_text(), re.M)
    said = {name: re.findall(r"\d+", numbers)[:3] for name, numbers in rows}
    container = gateway_of(helm(MODES["gateway"]))
    for name in ("startup", "readiness", "liveness"):
        probe = container[f"{name}Probe"]
        assert said[name][:2] == [str(probe["periodSeconds"]), str(probe["failureThreshold"])], name
    assert said["timeouts"] == [str(container[probe]["timeoutSeconds"]) for probe in PROBES]
    assert said["grace"] == [str(pod_of(helm(MODES["gateway"]))["terminationGracePeriodSeconds"])]
