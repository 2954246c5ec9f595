# SPDX-License-Identifier: Apache-2.0
# The sections of the configuration file as its schema has them, and where each stands in a file that is right.

import json

from server import REPOSITORY

SCHEMA = json.loads((REPOSITORY / "docs/weir.schema.json").read_text())
SECTIONS = {name: part for name, part in SCHEMA["$defs"].items() if not name.startswith("setting-")}
SETTINGS = [name.removeprefix("setting-") for name in SCHEMA["$defs"] if name.startswith("setting-")]

UPSTREAM = "upstreams:\n  a: {endpoints: [http://127.0.0.1:9], %s}\n"
SECURE_UPSTREAM = UPSTREAM.replace("http:", "https:")
ROUTE = "upstreams:\n  a: {endpoints: [http://127.0.0.1:9]}\nroutes:\n  - {upstream: a, %s}\n"

# Of each section: a file with the field in place of %s, and the section's path.
PLACES = {
    "upstream": ("upstreams:\n  a: {%s}\n", "upstreams.a"),
    "endpoint": ("upstreams:\n  a: {endpoints: [{%s}]}\n", "upstreams.a.endpoints[0]"),
    "hash": (UPSTREAM % "balance: maglev, hash: {%s}", "upstreams.a.hash"),
    "check": (UPSTREAM % "check: {%s}", "upstreams.a.check"),
    "weights": (UPSTREAM % "weights: {%s}", "upstreams.a.weights"),
    "ejection": (UPSTREAM % "ejection: {%s}", "upstreams.a.ejection"),
    "breaker": (UPSTREAM % "breaker: {%s}", "upstreams.a.breaker"),
    "timeouts": (UPSTREAM % "timeouts: {%s}", "upstreams.a.timeouts"),
    "tls": (SECURE_UPSTREAM % "tls: {%s}", "upstreams.a.tls"),
    "pool": ("pools:\n  p: {%s}\n", "pools.p"),
    "route": ("routes:\n  - {%s}\n", "routes[0]"),
    "match": (ROUTE % "match: {%s}", "routes[0].match"),
    "header-match": (ROUTE % "match: {headers: {x-a: {%s}}}", "routes[0].match.headers.x-a"),
    "split": ("routes:\n  - {split: [{%s}]}\n", "routes[0].split[0]"),
    "redirect": ("routes:\n  - {redirect: {%s}}\n", "routes[0].redirect"),
    "mirror": (ROUTE % "mirror: {%s}", "routes[0].mirror"),
    "limit": (ROUTE % "limit: [{%s}]", "routes[0].limit[0]"),
    "retry": (ROUTE % "retry: {%s}", "routes[0].retry"),
    "guard": (ROUTE % "guard: {%s}", "routes[0].guard"),
    "then": (ROUTE % "guard: {then: {%s}}", "routes[0].guard.then"),
    "rewrite": (ROUTE % "rewrite: {%s}", "routes[0].rewrite"),
    "headers": (ROUTE % "headers: {%s}", "routes[0].headers"),
    "header-edits": (ROUTE % "headers: {response: {%s}}", "routes[0].headers.response"),
    "tags": (ROUTE % "tags: {%s}", "routes[0].tags"),
}

# What a section must have beside the field.
COMPANIONS = {
    "endpoint": {"url": "http://127.0.0.1:9"},
    "check": {"http": "/"},
    "route": {"upstream": "a"},
    "split": {"upstream": "a", "weight": 1},
    "redirect": {"to": "/"},
    "mirror": {"upstream": "a"},
    "limit": {"rate": "1/s"},
    "guard": {"then": "{shed: true}"},
    "tags": {"header": "x-a", "upstreams": "{b: a}"},
}
# Exactly one of each: no companion of one another.
ALTERNATIVES = [{"http", "tcp"}, {"upstream", "split", "redirect"}]
