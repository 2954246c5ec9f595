# SPDX-License-Identifier: Apache-2.0
# Rules, dashboard and scrapes, against a gateway that runs and a Prometheus that scrapes it.

import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest
import yaml

from polling import eventually
from rendering import CHART, REPOSITORY, helm, of_kind
from server import GATEWAY, Server

MONITORING = REPOSITORY / "manifests/monitoring"
RULES = yaml.safe_load((CHART / "files/rules.yaml").read_text())
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
ADAPTER_RULES = yaml.safe_load((CHART / "files/adapter-rules.yaml").read_text())
ALL_RULES = [rule for file in (RULES, ADAPTER_RULES) for group in file["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in ALL_RULES if "record" in rule}
PANELS = {
    panel["title"]: [target["expr"] for target in panel["targets"]]
    for panel in DASHBOARD["panels"]
    if panel["type"] != "row"
}
NAME = re.compile(r"(?<![\w:])(?:weir_|http_server_|process_)\w+(?![\w:])")
# Shown only from the first time on that there is something to compare: docs/guard.md.
LATER = {"weir_guard_ratio"}
# Of control groups, which a machine may not have.
OF_THE_MACHINE = re.compile("weir_cpu_")

CONFIGURATION = """
upstreams:
  default: {endpoints: ["%(endpoint)s"]}
  found: {discover: "file://%(list)s"}
routes:
  - match: {path: /guarded}
    upstream: default
    guard: {then: {shed: true}}
  - match: {path: /found}
    upstream: found
  - upstream: default
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway with all that has metrics of its own, in front of the demo, and somebody who asks it all the time."""
    folder = tmp_path_factory.mktemp("gateway")
    subprocess.run([GATEWAY, "dev-cert", "--folder", folder], check=True, capture_output=True, timeout=30)
    demo = Server({}, binary=GATEWAY, arguments=["demo"])
    endpoint = f"http://127.0.0.1:{demo.port}"
    (folder / "list.json").write_text(json.dumps([{"url": endpoint}]))
    file = folder / "weir.yaml"
    file.write_text(CONFIGURATION % {"endpoint": endpoint, "list": folder / "list.json"})
    settings = {"WEIR_CONFIG": file, "WEIR_LISTEN": "127.0.0.1:0,tls://127.0.0.1:0", "WEIR_DRAIN_TIMEOUT": "2s",
                "WEIR_TLS_CERT": folder / "tls.crt", "WEIR_TLS_KEY": folder / "tls.key",
                "WEIR_RATE_LIMIT": "1000/s;by=client"}  # fmt: skip
    server = Server(settings, binary=GATEWAY)
    over = threading.Event()

    def ask():
        while not over.wait(0.05):
            for path in ("/guarded", "/found", "/hello"):
                get(server.port, path)

    client = threading.Thread(target=ask)
    client.start()
    yield server
    over.set()
    client.join()
    server.stop()
    demo.stop()


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A metrics adapter that somebody has asked; there is no cluster."""
    account = tmp_path_factory.mktemp("account")
    (account / "namespace").write_text("shop")
    (account / "token").write_text("a-token")
    settings = {"WEIR_KUBERNETES_API": "http://127.0.0.1:1", "WEIR_KUBERNETES_ACCOUNT": account}
    server = Server(settings, binary=GATEWAY, arguments=["metrics-adapter"])
    try:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=10, context=ssl._create_unverified_context()
        )
        connection.request("GET", "/apis")
        assert connection.getresponse().status == 401
        connection.close()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def prometheus(gateway, tmp_path_factory):
    """A Prometheus that has scraped the gateway a few times, with the rules; asked by a query for its series."""
    folder = tmp_path_factory.mktemp("prometheus")
    scrape = {"job_name": "weir", "static_configs": [
        {"targets": [f"127.0.0.1:{gateway.admin_port}"], "labels": {"namespace": "shop", "pod": "a"}}]}  # fmt: skip
    interval = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    rules = str(CHART / "files/rules.yaml")
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump({"global": interval, "scrape_configs": [scrape], "rule_files": [rules]}))
    port = free_port()
    options = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "prometheus", *options],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
    )

    def ask(query):
        status, text = get(port, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        assert status == 200, f"{query}: {text}"
        return json.loads(text)["data"]["result"]

    def scraped():
        try:
            return get(port, "/-/ready")[0] == 200 and bool(ask("job:weir_rejected:ratio_rate5m"))
        except OSError:
            return False

    try:
        eventually(scraped, f"Prometheus has scraped twice; {folder / 'log'}", 60)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def filled(query):
    """A panel's query as Grafana sends it."""
    return query.replace("$__rate_interval", "10s").replace("$job", "weir").replace("$namespace", "shop")


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_has_something_to_show(prometheus, title):
    for query in PANELS[title]:
        answer = prometheus(filled(query))
        if not LATER & set(NAME.findall(query)) and not OF_THE_MACHINE.search(query):
            assert answer, query


def test_what_is_asked_for_is_there(gateway):
    there = set(gateway.metrics()) | {"up"}
    there = {key.split("{")[0] for key in there}
    documented = "\n".join(file.read_text() for file in (REPOSITORY / "docs").glob("*.md"))
    queries = [query for panel in PANELS.values() for query in panel]
    queries += [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    adapter = yaml.safe_load((MONITORING / "prometheus-adapter/values.yaml").read_text())["rules"]["custom"]
    queries += [rule["seriesQuery"] for rule in adapter]
    asked = {name for query in queries for name in NAME.findall(query)}
    assert len(asked) > 30
    missing = {name for name in asked - there if not OF_THE_MACHINE.match(name)}
    assert missing <= LATER and all(name in documented for name in LATER)


def test_what_the_adapters_alerts_ask_for_is_there(adapter):
    there = adapter.metrics()
    names = {key.split("{")[0] for key in there}
    queries = [rule["expr"] for group in ADAPTER_RULES["groups"] for rule in group["rules"]]
    asked = {name for query in queries for name in NAME.findall(query)}
    assert len(asked) == 4 and asked <= names
    # Every subject is one of an alert's, and no alert is of a subject that there is not.
    subjects = re.findall(r'weir_adapter_problem{[^}]*subject=~"([^"]*)"', "\n".join(queries))
    said = re.findall(r'weir_adapter_problem{subject="(\w+)"}', "\n".join(there))
    assert sorted("|".join(subjects).split("|")) == sorted(said)
    assert 'weir_adapter_pods{state="missing"}' in there
    [route] = set(re.findall(r'http_route="([^"]*)"', "\n".join(queries)))
    assert [key for key in there if key.startswith("http_server") and f'http_route="{route}"' in key]


def test_promtool_accepts_the_rules():
    for arguments in [
        ["check", "rules", "rules.yaml", "adapter-rules.yaml"],
        ["test", "rules", "tests.yaml", "adapter-tests.yaml"],
    ]:
        result = subprocess.run(["promtool", *arguments], cwd=MONITORING / "prometheus", capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_rule_is_tried_out():
    tests = "".join((MONITORING / "prometheus" / name).read_text() for name in ("tests.yaml", "adapter-tests.yaml"))
    # A quantile of made-up buckets says nothing.
    untried = [name for name in {*ALERTS, *RECORDED} if name not in tests]
    assert untried == ["job:http_server_request_duration_seconds:p99_5m"]


def test_every_alert_has_a_runbook():
    text = (REPOSITORY / "docs/runbooks.md").read_text()
    headings = re.findall(r"^## (\w+)$", text, re.M)
    assert sorted(headings) == sorted(ALERTS)
    for alert in ALERTS.values():
        assert alert["labels"]["severity"] in ("critical", "warning") and set(alert["annotations"]) == {
            "summary",
            "description",
        }


def test_the_chart_asks_for_its_own_series_and_names_the_runbook():
    objects = helm({"prometheusRule": {"enabled": True}, "fullnameOverride": "edge"})
    text = json.dumps(of_kind(objects, "PrometheusRule"))
    assert 'job=\\"weir\\"' not in text.replace("\\\\", "\\")
    groups = of_kind(objects, "PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups] == [f"shop.edge.{group['name']}" for group in RULES["groups"]]
    plain = [
        rule["expr"].replace('job="weir"', 'job="edge",namespace="shop"')
        for group in RULES["groups"]
        for rule in group["rules"]
    ]
    assert [rule["expr"] for group in groups for rule in group["rules"]] == plain


def test_the_alerts_of_the_adapter_come_with_it():
    values = {"prometheusRule": {"enabled": True}, "fullnameOverride": "edge", "adapter": {"enabled": True}}
    groups = of_kind(helm(values), "PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups][-1] == "shop.edge.weir.adapter"
    plain = [
        rule["expr"].replace('job="weir-metrics-adapter"', 'job="edge-metrics-adapter",namespace="shop"')
        for rule in ADAPTER_RULES["groups"][0]["rules"]
    ]
    assert [rule["expr"] for rule in groups[-1]["rules"]] == plain
    assert "weir-metrics-adapter" not in json.dumps(groups)


def test_an_alert_leads_to_its_runbook_where_it_is_said_where_that_is():
    """A path in this repository leads nowhere from an alert: none is better."""
    place = "https://git.example.com/weir/docs/runbooks.md#"
    for given in ("", place):
        values = {"prometheusRule": {"enabled": True, "runbooks": given}, "adapter": {"enabled": True}}
        groups = of_kind(helm(values), "PrometheusRule")["spec"]["groups"]
        alerts = {rule["alert"]: rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule}
        assert set(alerts) == set(ALERTS)
        for name, annotations in alerts.items():
            assert annotations.get("runbook_url") == (f"{place}{name.lower()}" if given else None)
            assert annotations["summary"] == ALERTS[name]["annotations"]["summary"]
    assert of_kind(helm({"prometheusRule": {"enabled": True}}), "PrometheusRule") == of_kind(
        helm({"prometheusRule": {"enabled": True, "runbooks": ""}}), "PrometheusRule"
    )


@pytest.mark.parametrize("has_adapter", [False, True])
def test_the_rules_of_a_release_parse(tmp_path, has_adapter):
    file = tmp_path / "rules.yaml"
    values = {"prometheusRule": {"enabled": True}, "adapter": {"enabled": has_adapter}}
    file.write_text(json.dumps(of_kind(helm(values), "PrometheusRule")["spec"]))
    result = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_a_monitor_gives_the_job_that_everything_asks_for(kind):
    values = {kind[0].lower() + kind[1:]: {"enabled": True}, "autoscaling": {"mode": "keda-prometheus"}}
    objects = helm(values)
    spec = of_kind(objects, kind)["spec"]
    [endpoint] = spec.get("endpoints") or spec["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "weir"}]
    for trigger in of_kind(objects, "ScaledObject")["spec"]["triggers"]:
        assert 'job="weir",namespace="shop"' in trigger["metadata"]["query"]


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_the_adapter_is_scraped_as_the_pods_are(kind):
    monitor = {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"}
    objects = helm({kind: monitor, "adapter": {"enabled": True}})
    found = of_kind(objects, "PodMonitor", "weir-metrics-adapter")
    assert found["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = found["spec"]["podMetricsEndpoints"]
    assert endpoint == {
        "port": "admin", "path": "/metrics", "interval": "15s",
        "relabelings": [{"targetLabel": "job", "replacement": "weir-metrics-adapter"}],
    }  # fmt: skip
    pod = of_kind(objects, "Deployment", "weir-metrics-adapter")["spec"]["template"]
    selector = found["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    assert "admin" in [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
    gateway = of_kind(objects, "Deployment", "weir")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= gateway.items()
    others = [{kind: monitor}, {"adapter": {"enabled": True}}]
    assert all(one["metadata"]["name"] != "weir-metrics-adapter" for values in others
               for one in helm(values) if one["kind"] == "PodMonitor")  # fmt: skip


def test_the_dashboard_is_whole():
    assert of_kind(helm({"dashboard": {"enabled": True}}), "ConfigMap")["data"]["weir.json"].strip() == (
        CHART / "files/dashboard.json").read_text().strip()  # fmt: skip
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for one in places
        for x in range(one["x"], one["x"] + one["w"])
        for y in range(one["y"], one["y"] + one["h"])
    ]
    assert len(cells) == len(set(cells)) and all(x < 24 for x, _ in cells)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"


def test_the_rules_of_prometheus_adapter_are_queries(prometheus):
    for rule in yaml.safe_load((MONITORING / "prometheus-adapter/values.yaml").read_text())["rules"]["custom"]:
        series = rule["seriesQuery"].split("{")[0]
        query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.GroupBy>>", "pod")
        [answer] = prometheus(query.replace("<<.LabelMatchers>>", 'namespace="shop",pod=~"a|b"'))
        assert answer["metric"] == {"pod": "a"}
        assert prometheus(rule["seriesQuery"])


def test_the_analysis_of_a_rollout_asks_for_what_there_is(prometheus, gateway):
    text = (REPOSITORY / "manifests/rollouts/analysis.yaml").read_text()
    metrics = yaml.safe_load(text)["spec"]["metrics"]
    for metric in metrics:
        query = metric["provider"]["prometheus"]["query"]
        # This gateway is not of a rollout, and in another namespace.
        query = re.sub(r',rollouts_pod_template_hash="[^"]*"', "", query).replace(
            'namespace="default"', 'namespace="shop"'
        )
        [answer] = prometheus(query)
        assert float(answer["value"][1]) == {"failures": 0, "duration": 1, "utilization": 1}[metric["name"]]


def test_the_scrape_parses(tmp_path):
    """Debian's promtool knows no discovery in Kubernetes: the rest is looked at."""
    scrape = yaml.safe_load((MONITORING / "prometheus/scrape.yaml").read_text())
    for one, name in zip(scrape["scrape_configs"], ("weir", "weir-metrics-adapter"), strict=True):
        assert one.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        assert one["job_name"] == name and one["relabel_configs"][0]["regex"] == f"{name};admin"
    scrape["rule_files"] = [str(MONITORING / "prometheus" / name) for name in scrape["rule_files"]]
    file = tmp_path / "prometheus.yml"
    file.write_text(json.dumps(scrape))
    result = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
