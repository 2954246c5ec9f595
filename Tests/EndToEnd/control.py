# SPDX-License-Identifier: Apache-2.0
# What tests of discovery and health checks share: a configuration with one upstream, and what the gateway says of it.

import json

import yaml

from polling import eventually


def configure(tmp_path, name="orders", **upstream):
    """A file in which all requests go to one upstream."""
    file = tmp_path / "weir.yaml"
    routes = [{"match": {"path": "/*"}, "upstream": name}]
    file.write_text(yaml.safe_dump({"upstreams": {name: upstream}, "routes": routes}))
    return file


def start(gateway, tmp_path, configuration, **settings):
    """A gateway with that upstream, and no other. In turn, so that each endpoint gets a request whatever its times."""
    configuration = {"balance": "round-robin", **configuration}
    return gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=configure(tmp_path, **configuration), **settings)


def page(server, name="orders"):
    """The upstream as /upstreams shows it."""
    status, text = server.ask_admin("/upstreams")
    assert status == 200
    return next(upstream for upstream in json.loads(text)["upstreams"] if upstream["name"] == name)


def urls(server, name="orders"):
    return [endpoint["url"] for endpoint in page(server, name)["endpoints"]]


def wait_for_urls(server, *expected, seconds=15):
    eventually(lambda: urls(server) == list(expected), f"the endpoints are {expected}", seconds)


def health(server):
    return [endpoint["health"] for endpoint in page(server)["endpoints"]]


def wait_for_health(server, *expected, seconds=15):
    eventually(lambda: health(server) == list(expected), f"the endpoints are {expected}", seconds)


def sample(server, name, endpoint, **labels):
    """A metric of an endpoint's."""
    labels = {"upstream": "orders", "endpoint": endpoint.url, **labels}
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return server.metric(f"weir_upstream_{name}{{{text}}}")
