# SPDX-License-Identifier: Apache-2.0
# The manifests that scale on the signals: well formed, of what the real binary says, and as docs/scaling.md says.

import json
import re
import subprocess

import pytest
import yaml

from server import REPOSITORY

FOLDER = REPOSITORY / "manifests"
QUERY_NAME = re.compile(r"\b(weir_\w+)")
SCALED_OBJECTS = ["keda/scaledobject.yaml", "keda-prometheus/scaledobject.yaml"]


def manifest(name):
    [found] = list(yaml.safe_load_all((FOLDER / name).read_text()))
    return found


def triggers(name, kind):
    return [one["metadata"] for one in manifest(name)["spec"]["triggers"] if one["type"] == kind]


def at(page, location):
    """What stands at a GJSON path of plain keys."""
    for key in location.split("."):
        page = page[int(key)] if isinstance(page, list) else page[key]
    return page


@pytest.mark.parametrize("name", SCALED_OBJECTS)
def test_a_scaled_object_is_of_the_form_that_its_definition_asks_for(name):
    found = manifest(name)
    assert (found["apiVersion"], found["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = found["spec"]
    # No pollingInterval: from one pod on it counts only with cached metrics, which would be older.
    assert set(spec) <= {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers"}
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    for trigger in spec["triggers"]:
        # No useCachedMetrics: the HPA is told what is, each time that it asks.
        assert set(trigger) == {"type", "metadata"}
        # The definition takes texts only.
        assert all(isinstance(value, str) for value in trigger["metadata"].values()), trigger


def test_the_manifests_scale_one_deployment_alike():
    found = [manifest(name) for name in [*SCALED_OBJECTS, "hpa/hpa.yaml"]]
    assert {one["spec"]["scaleTargetRef"]["name"] for one in found} == {"weir"}
    behaviors = [one["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] for one in found[:2]]
    assert behaviors == [found[2]["spec"]["behavior"]] * 2
    targets = [triggers(SCALED_OBJECTS[0], "metrics-api")[0]["targetValue"],
               triggers(SCALED_OBJECTS[1], "prometheus")[0]["threshold"]]
    assert targets == ["0.75"] * 2
    assert found[2]["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == "750m"


def test_the_metrics_api_scaler_finds_the_service_and_a_number_to_add_up(serve):
    [trigger] = triggers(SCALED_OBJECTS[0], "metrics-api")
    host, port, path = re.fullmatch(r"http://([^:]+):(\d+)(/.*)", trigger["url"]).groups()
    service = manifest("base/service-admin.yaml")
    assert host.split(".")[:2] == [service["metadata"]["name"], manifest("keda/kustomization.yaml")["namespace"]]
    # The scaler asks for the pods' port, and the Service must have it.
    assert int(port) in [one["targetPort"] for one in service["spec"]["ports"]]
    assert (trigger["aggregateFromKubeServiceEndpoints"], trigger["aggregationType"]) == ("true", "sum")
    status, text = serve().ask_admin(path)
    value = at(json.loads(text), trigger["valueLocation"])
    assert status == 200 and isinstance(value, (int, float)) and not isinstance(value, bool)
    assert float(trigger["targetValue"]) > 0


def test_the_queries_parse_and_ask_for_metrics_that_there_are(serve, tmp_path):
    queries = [one["query"] for one in triggers(SCALED_OBJECTS[1], "prometheus")]
    rules = [{"record": f"weir:query_{index}", "expr": query} for index, query in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "scaling", "rules": rules}]}))
    result = subprocess.run(["promtool", "check", "rules", file], capture_output=True, timeout=20)
    assert result.returncode == 0, result.stdout + result.stderr
    there = {key.split("{")[0] for key in serve().metrics()}
    metric = manifest("hpa/hpa.yaml")["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert {name for query in queries for name in QUERY_NAME.findall(query)} | {metric} <= there


def test_every_key_of_the_queue_page_is_documented(serve):
    documented = (REPOSITORY / "docs/scaling.md").read_text().split("## /queue", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in documented.splitlines() if line.startswith("| `")]
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert sorted(keys) == sorted(json.loads(serve().ask_admin("/queue")[1]))


def test_every_metric_is_documented(serve):
    """What a fresh service shows stands in one of the documents, with its whole name or as the end of one."""
    texts = "\n".join(file.read_text() for file in (REPOSITORY / "docs").glob("*.md"))
    names = {re.sub(r"_(bucket|sum|count)$", "", key.split("{")[0]) for key in serve().metrics()}
    signals = {name for name in names if re.match(r"weir_(requests|queue|concurrency|utilization|execution|streams|"
                                                  r"rejected|pool|route|cpu|pressure|pids)", name)}
    undocumented = [name for name in sorted(signals) if name not in texts and "_" + name.split("_", 2)[2] not in texts]
    assert not undocumented
