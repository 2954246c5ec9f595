# SPDX-License-Identifier: Apache-2.0
# What tests of retries share: a gateway in front of endpoints whose order is known.

import yaml

from upstream import Upstream


def in_order(gateway, tmp_path, endpoints, retry, deadline="15s", **upstream):
    """A gateway that goes to the endpoints in this order, as long as they are well."""
    file = tmp_path / "weir.yaml"
    upstream = {"endpoints": [one.url for one in endpoints], "balance": "first", **upstream}
    route = {"match": {"path": "/*"}, "upstream": "orders", "retry": retry, "deadline": deadline}
    file.write_text(yaml.safe_dump({"upstreams": {"orders": upstream}, "routes": [route]}))
    server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file)
    for one in endpoints:
        if isinstance(one, Upstream):
            one.wait_for_connections(1)
    return server
