# SPDX-License-Identifier: Apache-2.0
"""CPU time per request that is passed on, beside nginx and HAProxy."""

import proxies
import turns
from load import Plan
from report import Row
from tools import Products

WORK = "proxy, 64 connections"
RATIO_TO_NGINX_MAX = 0.80
RATIO_TO_HAPROXY_MAX = 0.85

GUARDED_WORK = "proxy, three endpoints chosen by latency, checked and ejected, a keyed limit, admission and a deadline"
GUARDED_RATIO_TO_NGINX_MAX = 0.85
GUARDED_RATIO_TO_HAPROXY_MAX = 0.90


def compare(products: Products, plan: Plan) -> list[Row]:
    """The endpoint shares the load's core, and is the same for all three."""
    with proxies.endpoint(products, plan.load_core) as endpoint:
        weir = proxies.gateway(products, endpoint, {}, plan.server_core)
        nginx = proxies.nginx(products, endpoint, plan.server_core)
        haproxy = proxies.haproxy(products, endpoint, plan.server_core)
        with weir, nginx, haproxy:
            sides = [turns.under_load(server, "/hello", plan) for server in (weir, nginx, haproxy)]
            ours, nginxs, haproxys = turns.microseconds(WORK, sides, plan)
    return [
        turns.cpu_beside("nginx", WORK, ours, nginxs, RATIO_TO_NGINX_MAX),
        turns.cpu_beside("HAProxy", WORK, ours, haproxys, RATIO_TO_HAPROXY_MAX),
    ]


def compare_guarded(products: Products, plan: Plan) -> list[Row]:
    """Weir with all its protections on; nginx and HAProxy pass requests on to the same endpoints in turn."""
    addresses = proxies.ENDPOINT_ADDRESSES
    with proxies.endpoint(products, plan.load_core) as endpoint:
        weir = proxies.guarded_gateway(products, endpoint, plan.server_core)
        nginx = proxies.nginx(products, endpoint, plan.server_core, addresses)
        haproxy = proxies.haproxy(products, endpoint, plan.server_core, addresses)
        with weir, nginx, haproxy:
            sides = [turns.under_load(server, "/hello", plan) for server in (weir, nginx, haproxy)]
            ours, nginxs, haproxys = turns.microseconds(GUARDED_WORK, sides, plan)
    return [
        turns.cpu_beside("nginx", GUARDED_WORK, ours, nginxs, GUARDED_RATIO_TO_NGINX_MAX),
        turns.cpu_beside("HAProxy", GUARDED_WORK, ours, haproxys, GUARDED_RATIO_TO_HAPROXY_MAX),
    ]
