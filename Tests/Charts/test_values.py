# SPDX-License-Identifier: Apache-2.0
# What becomes of the chart's values, and what is said of wrong ones.

import json
import re
import subprocess
import sys

import pytest
import yaml

from combinations import ALL, APP, FEATURES, MODES, merged
from rendering import CHART, MANIFESTS, REPOSITORY, Refused, gateway_of, helm, kustomize, of_kind, pod_of, variables

# Mappings whose defaults name some of what there may be.
PARTIAL = {
    "/settings", "/resources", "/adapter/resources", "/autoscaling/behavior/scaleUp", "/autoscaling/behavior/scaleDown",
    "/probes/startup", "/probes/readiness", "/probes/liveness",
}  # fmt: skip
SIDECAR = MODES["sidecar"]


@pytest.mark.parametrize("values, said", [
    ({"replica": 3}, "additional properties 'replica' not allowed"),
    ({"mode": "daemonset"}, "'/mode': value must be one of 'gateway', 'sidecar', 'library'"),
    ({"replicas": "two"}, "'/replicas': got string, want integer"),
    ({"upstream": ["orders:3000"]}, "'/upstream/0'"),
    ({"upstream": ["ftp://orders"]}, "'/upstream/0'"),
    ({"settings": {"WEIR_DEADLNE": "5s"}}, "'/settings': additional properties 'WEIR_DEADLNE' not allowed"),
    ({"settings": {"WEIR_DRAIN_TIMEOUT": "5s"}}, "'/settings': additional properties 'WEIR_DRAIN_TIMEOUT' not allowed"),
    ({"settings": {"WEIR_DEADLINE": {"a": 1}}}, "'/settings/WEIR_DEADLINE': got object"),
    ({"image": {"digest": "latest"}}, "'/image/digest'"),
    ({"autoscaling": {"mode": "cpu"}}, "'/autoscaling/mode': value must be one of"),
    ({"autoscaling": {"target": 1}}, "'/autoscaling/target': exclusiveMaximum: got 1, want 1"),
    ({"autoscaling": {"target": 0}}, "'/autoscaling/target': exclusiveMinimum: got 0, want 0"),
    ({"autoscaling": {"min": 0}}, "'/autoscaling/min'"),
    ({"autoscaling": {"min": 5, "max": 4}}, "autoscaling.max: 4 is below autoscaling.min, 5"),
    ({"autoscaling": {"behavior": {"scaleup": {}}}}, "'/autoscaling/behavior': additional properties 'scaleup'"),
    ({"drain": {"delay": "5s"}}, "'/drain/delay': got string, want integer"),
    ({"drain": {"delay": 30}}, "drain.timeout: 25 is below drain.delay, 30"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "'/podDisruptionBudget/maxUnavailable'"),
    ({"resources": {"limits": {"memory": "64 MB"}}}, "'/resources/limits/memory'"),
    ({"tls": {"only": True}}, "tls.only: needs tls.secrets"),
    ({"tls": {"ticketKeysSecret": "a"}}, "tls.ticketKeysSecret: needs tls.secrets"),
    ({"config": {"existing": "a", "content": {"queue": 1}}}, "config.content and config.existing: give one of them"),
    ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "every pod would be scraped twice"),
    ({"upstream": ["k8s://shop/orders", "http://a"]}, "'/upstream'"),
    ({"mode": "sidecar"}, "sidecar.app: the app's container is needed"),
    (merged(SIDECAR, {"upstream": ["http://a"]}), "upstream: in the mode sidecar requests go to sidecar.port"),
    ({"mode": "sidecar", "sidecar": {"app": {"name": "weir", "image": "a"}}}, "'/sidecar/app"),
    ({"sidecar": {"drain": {"token": "short"}}}, "'/sidecar/drain/token'"),
    (merged(MODES["sidecar by kubelet"], FEATURES["token"]), "sidecar.drain.token and adminToken.secret: give one"),
    ({"discovery": {"zone": "eu 1"}}, "'/discovery/zone'"),
    ({"prometheusRule": {"runbooks": "docs/runbooks.md#"}}, "'/prometheusRule/runbooks'"),
    ({"adapter": {"certificate": "mine"}}, "'/adapter/certificate': value must be one of 'self', 'cert-manager'"),
])  # fmt: skip
def test_a_wrong_value_is_refused_and_named(values, said):
    with pytest.raises(Refused) as refused:
        helm(values)
    # Not the whole stack of templates: one line has it.
    assert [line for line in str(refused.value).splitlines() if said in line], refused.value


def test_endpoints_may_be_found_by_a_source():
    gateway = gateway_of(helm({"upstream": ["k8s://shop/orders:http"]}))
    assert variables(gateway)["WEIR_UPSTREAM"] == "k8s://shop/orders:http"



def test_every_value_is_in_the_schema_and_has_a_row_in_the_readme():
    check = subprocess.run([sys.executable, REPOSITORY / "scripts/chart", "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    values, schema = (
        yaml.safe_load((CHART / "values.yaml").read_text()),
        json.loads((CHART / "values.schema.json").read_text()),
    )

    def compare(values, schema, path=""):
        schema = schema if "$ref" not in schema else definitions[schema["$ref"].rsplit("/", 1)[1]]
        if schema.get("additionalProperties") is False and path not in PARTIAL:
            known = set(schema["properties"]) - {"global"}
            assert known == set(values), path
        for key, value in values.items():
            if isinstance(value, dict) and schema.get("properties"):
                compare(value, schema["properties"][key], f"{path}/{key}")

    definitions = schema["definitions"]
    compare(values, schema)
    rows = re.findall(r"^\| `([\w.]+)` \|", (CHART / "README.md").read_text().split("<!-- values -->")[1], re.M)

    def leaves(values, path=""):
        for key, value in values.items():
            here = f"{path}{key}"
            if here in rows or not isinstance(value, dict):
                yield here
            else:
                yield from leaves(value, f"{here}.")

    assert list(leaves(values)) == rows


def test_settings_arrive_as_they_were_written():
    settings = {"WEIR_CONCURRENCY": 1000000, "WEIR_QUEUE": 0, "WEIR_DEADLINE": "5s", "WEIR_PIN": True}
    given = variables(gateway_of(helm({"settings": {**settings, "WEIR_CPU_ROUNDING": "down"}})))
    assert given["WEIR_CONCURRENCY"] == "1000000" and given["WEIR_QUEUE"] == "0"
    assert (given["WEIR_DEADLINE"], given["WEIR_PIN"], given["WEIR_CPU_ROUNDING"]) == ("5s", "true", "down")


def test_the_end_of_a_pod_fits_its_drain():
    for mode, room in [("gateway", 15), ("sidecar", 15 + 30)]:
        objects = helm(merged(MODES[mode], {"drain": {"delay": 20, "timeout": 120}}))
        given = variables(gateway_of(objects))
        assert (given["WEIR_DRAIN_DELAY"], given["WEIR_DRAIN_TIMEOUT"]) == ("20s", "120s")
        assert pod_of(objects)["terminationGracePeriodSeconds"] == 120 + room


@pytest.mark.parametrize("mode", MODES)
def test_every_container_is_restricted(mode):
    for one in helm(merged(ALL, MODES[mode])):
        pod = one["spec"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get("spec")
        if not pod:
            continue
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {
            "type": "RuntimeDefault"
        }
        for container in pod["containers"] + pod.get("initContainers", []):
            locked = container["securityContext"]
            assert locked["readOnlyRootFilesystem"] and not locked["allowPrivilegeEscalation"]
            assert locked["capabilities"] == {"drop": ["ALL"]}


def test_what_the_app_says_of_its_security_counts():
    objects = helm(merged(SIDECAR, {"sidecar": {"app": {"securityContext": {"readOnlyRootFilesystem": False}}}}))
    [app] = pod_of(objects)["containers"]
    assert app["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def test_no_pod_has_a_token_of_the_cluster_unless_it_asks_for_one():
    assert pod_of(helm())["automountServiceAccountToken"] is False
    assert of_kind(helm(), "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod_of(helm(FEATURES["discovery"]))["automountServiceAccountToken"] is True


def test_a_file_that_changes_is_reloaded_or_restarts():
    def rendered(on_change, queue):
        objects = helm({"config": {"content": {"queue": queue}, "onChange": on_change}})
        pod = of_kind(objects, "Deployment")["spec"]["template"]
        assert yaml.safe_load(of_kind(objects, "ConfigMap")["data"]["weir.yaml"]) == {"queue": queue}
        [mount] = gateway_of(objects)["volumeMounts"]
        # By subPath it would never change.
        assert mount == {"name": "weir-config", "mountPath": "/etc/weir", "readOnly": True}
        assert variables(gateway_of(objects))["WEIR_CONFIG"] == "/etc/weir/weir.yaml"
        return pod

    assert rendered("reload", 1) == rendered("reload", 2)
    assert rendered("restart", 1) != rendered("restart", 2)
    assert set(rendered("restart", 1)["metadata"]["annotations"]) == {"checksum/config"}


def test_tls_has_an_address_and_a_folder_for_each_secret():
    container = gateway_of(helm(FEATURES["tls"]))
    given = variables(container)
    assert given["WEIR_LISTEN"] == ":8080,tls://:8443"
    assert given["WEIR_TLS_CERT"] == "/tls/shop-tls/tls.crt,/tls/shop.example/tls.crt"
    assert given["WEIR_TLS_KEY"] == "/tls/shop-tls/tls.key,/tls/shop.example/tls.key"
    assert [port["name"] for port in container["ports"]] == ["http", "https", "admin"]
    only = helm(FEATURES["tls only"])
    assert variables(gateway_of(only))["WEIR_LISTEN"] == "tls://:8443"
    assert [port["port"] for port in of_kind(only, "Service", "weir")["spec"]["ports"]] == [443]


def test_the_sidecar_is_drained_before_its_app_ends():
    pod = pod_of(helm(SIDECAR))
    [sidecar], [app] = pod["initContainers"], pod["containers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["lifecycle"] == {"preStop": {"exec": {"command": ["/usr/bin/weir", "drain"]}}}
    assert app["lifecycle"]["preStop"]["exec"]["command"][-1] == "http://127.0.0.1:9901/drain"
    assert variables(sidecar)["WEIR_UPSTREAM"] == "http://127.0.0.1:3000"

    pod = pod_of(helm(MODES["sidecar by kubelet"]))
    [sidecar], [app] = pod["initContainers"], pod["containers"]
    token = variables(sidecar)["WEIR_ADMIN_TOKEN"]
    assert app["lifecycle"]["preStop"] == {"httpGet": {"path": "/drain", "port": 9901,
                                "httpHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}}  # fmt: skip


def test_an_app_that_can_run_nothing_sleeps_for_as_long_as_a_drain_may_take():
    objects = helm(merged(MODES["sidecar by time"], {"drain": {"timeout": 120}}))
    [app] = pod_of(objects)["containers"]
    assert app["lifecycle"] == {"preStop": {"sleep": {"seconds": 120}}}
    assert pod_of(objects)["terminationGracePeriodSeconds"] > 120
    with pytest.raises(Refused, match="sidecar.drain.command: .* needs Kubernetes 1.30; this is v1.29.0"):
        helm(MODES["sidecar by time"], version="1.29.0")


def test_the_sidecars_of_the_chart_and_of_the_manifests_end_alike():
    [sidecar], [app] = (pod_of(kustomize(MANIFESTS / "sidecar"))[kind] for kind in ("initContainers", "containers"))
    pod = pod_of(helm(SIDECAR))
    assert sidecar["lifecycle"] == pod["initContainers"][0]["lifecycle"]
    assert app["lifecycle"] == pod["containers"][0]["lifecycle"]


def test_scaling_follows_a_step_and_falls_slower_than_a_drain():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    behavior = values["autoscaling"]["behavior"]
    [up], [down] = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    assert up == {"type": "Percent", "value": 900, "periodSeconds": 15}
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    # The pods of a step are gone before the next.
    assert down["periodSeconds"] > values["drain"]["timeout"] + 15
    hpa = of_kind(helm({"autoscaling": {"mode": "hpa", "target": 0.6}}), "HorizontalPodAutoscaler")["spec"]
    assert hpa["behavior"] == behavior
    [metric] = hpa["metrics"]
    assert metric["pods"] == {
        "metric": {"name": "weir_utilization_ratio"},
        "target": {"type": "AverageValue", "averageValue": "600m"},
    }
    for mode in ["keda-metrics-api", "keda-prometheus"]:
        keda = of_kind(helm({"autoscaling": {"mode": mode}}), "ScaledObject")["spec"]
        assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == behavior
        for trigger in keda["triggers"]:
            assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_what_scales_sets_the_number_of_pods():
    assert of_kind(helm({"replicas": 5}), "Deployment")["spec"]["replicas"] == 5
    for mode in ["hpa", "keda-metrics-api", "keda-prometheus"]:
        objects = helm({"autoscaling": {"mode": mode}})
        assert "replicas" not in of_kind(objects, "Deployment")["spec"]
        # Two that scale one deployment work against each other.
        assert len([one for one in objects if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]) == 1


def test_the_admin_port_is_closed_to_all_but_those_that_are_named():
    policy = of_kind(helm(FEATURES["narrow network policy"]), "NetworkPolicy")["spec"]
    requests, admin = policy["ingress"]
    assert requests == {
        "ports": [{"protocol": "TCP", "port": 8080}],
        "from": [{"podSelector": {"matchLabels": {"app": "front"}}}],
    }
    assert admin["ports"] == [{"protocol": "TCP", "port": 9901}]
    tests, monitoring = admin["from"]
    assert tests["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "weir-test"
    assert monitoring == FEATURES["narrow network policy"]["networkPolicy"]["adminFrom"][0]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and len(policy["egress"]) == 2
    assert of_kind(helm(FEATURES["network policy"]), "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]


def test_the_adapter_may_do_what_it_needs_and_no_more():
    objects = helm(FEATURES["adapter"])
    account = {"kind": "ServiceAccount", "name": "weir-metrics-adapter", "namespace": "shop"}
    bindings = [one for one in objects if one["kind"].endswith("RoleBinding")]
    assert all(one["subjects"] == [account] for one in bindings)
    assert {(one["roleRef"]["name"], one["metadata"].get("namespace")) for one in bindings} == {
        ("extension-apiserver-authentication-reader", "kube-system"),
        ("shop:weir-metrics-adapter", None),
        ("weir-metrics-adapter", "shop"),
    }
    rules = [rule for one in objects if one["kind"].endswith("Role") for rule in one["rules"]]
    assert not [rule for rule in rules if "*" in rule["resources"] + rule["verbs"] + rule["apiGroups"]]
    services = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "APIService"}
    assert set(services) == {"v1beta2.custom.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io"}
    for name, spec in services.items():
        assert f"{spec['version']}.{spec['group']}" == name and "insecureSkipTLSVerify" not in spec
        assert (
            of_kind(objects, "Service", spec["service"]["name"])["spec"]["ports"][0]["port"] == spec["service"]["port"]
        )
    [allowed] = [rule["resourceNames"] for rule in rules if "apiservices" in rule["resources"]]
    assert set(allowed) == set(services)
    assert of_kind(objects, "Deployment", "weir-metrics-adapter")["spec"]["replicas"] == 2


def test_the_adapter_takes_the_certificate_of_cert_manager():
    objects = helm(FEATURES["adapter, cert-manager"])
    certificate = of_kind(objects, "Certificate", "weir-metrics-adapter")["spec"]
    assert "weir-metrics-adapter.shop.svc" in certificate["dnsNames"]
    [volume] = pod_of(objects, "weir-metrics-adapter")["volumes"]
    assert volume["secret"]["secretName"] == certificate["secretName"]
    for one in objects:
        if one["kind"] == "APIService":
            assert one["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "shop/weir-metrics-adapter"}
    given = variables(pod_of(objects, "weir-metrics-adapter")["containers"][0])
    assert given["WEIR_ADAPTER_CERTIFICATE"] == "/tls/tls.crt" and given["WEIR_ADAPTER_KEY"] == "/tls/tls.key"
    # It has no certificate of its own to keep.
    assert not [one for one in objects if one["kind"] == "Role"]


def test_the_adapter_believes_the_ca_of_admin_ports_that_speak_tls():
    pod = pod_of(helm(FEATURES["adapter, admin ports by TLS"]), "weir-metrics-adapter")
    [container] = pod["containers"]
    given = variables(container)
    assert given["WEIR_ADAPTER_ADMIN_CA"] == "/admin-ca/ca.crt"
    assert given["WEIR_ADAPTER_ADMIN_SERVER_NAME"] == "pods.shop"
    # Nothing but the CA, whatever else the Secret has.
    secret = {"secretName": "pods-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert pod["volumes"] == [{"name": "admin-ca", "secret": secret}]
    assert container["volumeMounts"] == [{"name": "admin-ca", "mountPath": "/admin-ca", "readOnly": True}]


def test_the_adapter_asks_the_pods_of_the_gateway_and_reaches_them():
    objects = helm(merged(FEATURES["adapter"], FEATURES["network policy"]))
    labels = of_kind(objects, "Deployment", "weir")["spec"]["template"]["metadata"]["labels"]
    assert labels["weir.dev/metrics"] == "true"
    adapter = of_kind(objects, "Deployment", "weir-metrics-adapter")["spec"]["template"]["metadata"]["labels"]
    assert "weir.dev/metrics" not in adapter
    [admin] = [one for one in of_kind(objects, "NetworkPolicy")["spec"]["ingress"] if one["ports"][0]["port"] == 9901]
    assert adapter in [one["podSelector"]["matchLabels"] for one in admin["from"] if "podSelector" in one]
    own = helm({"podLabels": {"weir.dev/metrics": "false"}})
    assert of_kind(own, "Deployment")["spec"]["template"]["metadata"]["labels"]["weir.dev/metrics"] == "false"


def test_discovery_may_read_endpoint_slices_where_it_is_told():
    objects = helm(FEATURES["discovery"])
    roles = [one for one in objects if one["kind"] == "Role"]
    assert {one["metadata"]["namespace"] for one in roles} == {"shop", "stock"}
    for role in roles:
        assert role["rules"] == [
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
        ]
    bindings = [one for one in objects if one["kind"] == "RoleBinding"]
    assert all(
        one["subjects"][0] == {"kind": "ServiceAccount", "name": "weir", "namespace": "shop"} for one in bindings
    )


def test_requests_stay_in_a_zone_that_is_named_or_that_the_pods_label_has():
    assert "WEIR_ZONE" not in variables(gateway_of(helm()))
    assert variables(gateway_of(helm({"discovery": {"zone": "eu-1"}})))["WEIR_ZONE"] == "eu-1"
    by_label = variables(gateway_of(helm(FEATURES["discovery"])))["WEIR_ZONE"]
    assert by_label == {"fieldRef": {"fieldPath": "metadata.labels['topology.kubernetes.io/zone']"}}


def test_the_test_of_a_release_asks_what_there_is():
    objects = helm(merged(ALL, {"upstream": ["http://orders"]}))
    test = of_kind(objects, "Pod")
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    [check] = test["spec"]["initContainers"]
    assert check["args"] == ["check"] and check["env"] == gateway_of(objects)["env"]
    asked = json.dumps([one["command"] for one in test["spec"]["containers"]])
    assert "http://weir-admin:9901/readyz" in asked and '"weir", "8000"' in asked


def test_the_app_is_the_container_that_people_mean():
    annotations = of_kind(helm(SIDECAR), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/default-container": APP["name"]}
