// SPDX-License-Identifier: Apache-2.0
// Every way in which upstreams, pools and routes can be wrong, and the line that says so.

import Testing
import Weir

@Suite struct ConfigurationFaultTests {
    private static func line(_ yaml: String, _ environment: [String: String] = [:]) throws -> String? {
        let document = try ConfigurationDocument(yaml)
        let error = #expect(throws: SettingsError.self, "\(yaml)") {
            try GatewayConfiguration(environment: environment, document: document)
        }
        return error?.description
    }

    @Test(arguments: [
        ("match: {headers: {x-a: }}", "match.headers.x-a"),
        ("match: {headers: {x-a: null}}", "match.headers.x-a"),
        ("headers: {request: {set: {x-tag: }}}", "headers.request.set.x-tag"),
        ("headers: {response: {remove: [~]}}", "headers.response.remove[0]"),
        ("tags: {header: x-a, upstreams: {b: }}", "tags.upstreams.b"),
    ])
    func `behind a name of the user's there is something`(fields: String, place: String) throws {
        let yaml = "upstreams: {a: {endpoints: [http://a]}}\nroutes: [{upstream: a, \(fields)}]"
        let line = try #require(try Self.line(yaml))
        #expect(line.contains(": routes[0].\(place): there is no value; expected "))
    }

    @Test func `an empty value is one`() throws {
        let route = try GatewayConfiguration.route(#"headers: {request: {set: {x-tag: ""}}}"#)
        #expect(route.headers.request.replaced.count == 1)
    }

    @Test(arguments: [
        ("", "1:22: upstreams.default: expected endpoints or discover"),
        (
            "endpoints: [http://a], ballance: first",
            "1:46: upstreams.default.ballance: not a field of upstream; did you mean balance?"
        ),
        (
            "endpoints: [http://a], balance: fastest",
            #"1:55: upstreams.default.balance: "fastest": expected one of least-latency, round-robin, maglev, first"#
        ),
        ("endpoints: http://a", "1:34: upstreams.default.endpoints: expected a list of 1 to 256"),
        ("endpoints: []", "1:34: upstreams.default.endpoints: 0 items: expected 1 to 256"),
        (
            "endpoints: [http://a/b]",
            #"1:35: upstreams.default.endpoints[0]: "http://a/b": endpoint "http://a/b" has a path; "#
                + #"leave "/b" out, requests keep their own"#
        ),
        (
            "endpoints: [http://a, 'http://A:80;weight=2']",
            #"1:45: upstreams.default.endpoints[1]: endpoint "http://a;weight=2" is listed twice; "#
                + "remove one, and give the other a weight if it shall get more"
        ),
        ("endpoints: [{weight: 2}]", "1:35: upstreams.default.endpoints[0]: url is missing"),
        (
            "endpoints: [{url: http://a, weight: 0}]",
            #"1:59: upstreams.default.endpoints[0].weight: "0": expected a whole number, from 1 to 65535"#
        ),
        (
            "endpoints: [{url: http://a;weight=2, weight: 3}]",
            "1:68: upstreams.default.endpoints[0].weight: the url has a weight already; write one of them"
        ),
        ("endpoints: [http://a], tls: {}", "1:51: upstreams.default.tls: no endpoint begins with https://"),
        (
            "endpoints: [https://a], tls: {key: /a}",
            "1:52: upstreams.default.tls: certificate is missing: expected certificate and key, or neither"
        ),
        (
            "endpoints: [https://a], tls: {ca: /a, verify: false}",
            "1:57: upstreams.default.tls.ca: certificates are not verified: expected verify: true, or no ca"
        ),
        (
            "endpoints: [http://a], discover: 'dns://a:80'",
            "1:56: upstreams.default.discover: expected endpoints or discover, not both"
        ),
        ("endpoints: [http://a], hash: client", "1:52: upstreams.default.hash: only balance: maglev chooses by it"),
        (
            "endpoints: [http://a], balance: maglev, hash: {header: a, cookie: b}",
            "1:69: upstreams.default.hash: expected exactly one of header, cookie; found header and cookie"
        ),
        (
            "endpoints: [http://a], balance: maglev, hash: user",
            #"1:69: upstreams.default.hash: "user": expected client, {header: NAME} or {cookie: NAME}"#
        ),
        (
            "endpoints: [http://a], panic-threshold: 101%",
            #"1:63: upstreams.default.panic-threshold: "101%": expected a share in percent such as 20%, from 0% to 100%"#
        ),
        (
            "endpoints: [http://a], check: {interval: 5s}",
            "1:53: upstreams.default.check: expected exactly one of http, tcp; found none"
        ),
        ("endpoints: [http://a], check: {tcp: no}", "1:59: upstreams.default.check.tcp: expected true, or http"),
        (
            "endpoints: [http://a], check: {tcp: yes, host: b}",
            "1:70: upstreams.default.check.host: only an http check has a host"
        ),
        (
            "endpoints: [http://a], check: {http: healthz}",
            #"1:60: upstreams.default.check.http: "healthz": expected a path such as /healthz, "#
                + "of at most 2048 visible ASCII characters without #"
        ),
        (
            "endpoints: [http://a], check: {http: /, timeout: 6s}",
            "1:72: upstreams.default.check.timeout: expected a time not above interval"
        ),
        (
            "endpoints: [http://a], check: {http: /, failures-before-warning: 2}",
            "1:88: upstreams.default.check.failures-before-warning: expected a number not above failures-before-critical"
        ),
        (
            "endpoints: [http://a], ejection: {latency-factor: 1}",
            #"1:73: upstreams.default.ejection.latency-factor: "1": expected a number such as 2.5, from 1.1 to 100"#
        ),
        (
            "endpoints: [http://a], ejection: {latency-factor: 2.5001}",
            #"1:73: upstreams.default.ejection.latency-factor: "2.5001": expected a number such as 2.5, from 1.1 to 100"#
        ),
        (
            "endpoints: [http://a], ejection: {time-max: 29s}",
            "1:67: upstreams.default.ejection.time-max: expected a time not below time"
        ),
        (
            "endpoints: [http://a], ejection: on",
            "1:56: upstreams.default.ejection: expected a mapping with any of interval, consecutive-failures, requests-min, "
                + "failure-margin, latency-factor, time, time-max, ejected-max"
        ),
        (
            "endpoints: [http://a], breaker: {open: 1m}",
            "1:55: upstreams.default.breaker.open-max: expected a time not below open"
        ),
        (
            "endpoints: [http://a], timeouts: {connect: 5}",
            #"1:66: upstreams.default.timeouts.connect: "5": "#
                + "expected a duration such as 250ms, 15s or 5m, from 10ms to 1m"
        ),
    ])
    func `a wrong upstream`(fields: String, fault: String) throws {
        #expect(try Self.line("upstreams: {default: {\(fields)}}") == "weir.yaml:\(fault)")
    }

    @Test(arguments: [
        ("- match: {}", "3:3: routes[0]: expected exactly one of upstream, split, redirect; found none"),
        (
            "- {upstream: a, redirect: {to: /}}",
            "3:3: routes[0]: expected exactly one of upstream, split, redirect; found upstream and redirect"
        ),
        ("- {upstream: ab}", #"3:14: routes[0].upstream: "ab" is no upstream; did you mean a?"#),
        (
            "- {upstream: elsewhere}",
            #"3:14: routes[0].upstream: "elsewhere" is no upstream; expected one of upstreams:"#
        ),
        ("- split: []", "3:10: routes[0].split: 0 items: expected 1 to 64"),
        ("- split: [{upstream: a}]", "3:11: routes[0].split[0]: weight is missing"),
        ("- split: [{upstream: a, weight: 0}]", "3:10: routes[0].split: all weights are 0; expected one above"),
        (
            "- split: [{upstream: a, weight: 1}, {upstream: a, weight: 2}]",
            #"3:48: routes[0].split[1].upstream: "a" has a share already; add up their weights"#
        ),
        (
            "- split: [{upstream: a, weight: 1}, {upstream: c1, weight: 2}]",
            #"3:48: routes[0].split[1].upstream: "c1" is no upstream; expected one of upstreams:"#
        ),
        (
            "- {upstream: a, mirror: {upstream: elsewhere}}",
            #"3:36: routes[0].mirror.upstream: "elsewhere" is no upstream; expected one of upstreams:"#
        ),
        ("- {upstream: a, mirror: {percent: 5}}", "3:25: routes[0].mirror: upstream is missing"),
        ("- {redirect: {status: 301}}", "3:14: routes[0].redirect: to is missing"),
        (
            "- {redirect: {to: /, status: 200}}",
            #"3:30: routes[0].redirect.status: "200": expected one of 301, 302, 303, 307, 308"#
        ),
        (
            "- {redirect: {to: //evil.example}}",
            #"3:19: routes[0].redirect.to: "//evil.example": expected http://…, "#
                + "https://… or an absolute path, of at most 2048 visible ASCII characters without \\"
        ),
        (
            #"- {redirect: {to: '/\evil.example'}}"#,
            #"3:19: routes[0].redirect.to: "/\\evil.example": expected http://…, "#
                + "https://… or an absolute path, of at most 2048 visible ASCII characters without \\"
        ),
        (
            "- {redirect: {to: \"https://a\\r\\nb\"}}",
            #"3:19: routes[0].redirect.to: "https://a\r\nb": expected http://…, "#
                + "https://… or an absolute path, of at most 2048 visible ASCII characters without \\"
        ),
        (
            "- {redirect: {to: /}, retry: {}}",
            "3:30: routes[0].retry: a redirect is passed on to nobody; remove one of them"
        ),
        (
            "- {redirect: {to: /}, headers: {request: {remove: a}}}",
            "3:42: routes[0].headers.request: a redirect is passed on to nobody; remove one of them"
        ),
        (
            "- {upstream: a, deadline: 2x}",
            #"3:27: routes[0].deadline: "2x": expected a duration such as 250ms, 15s or 5m, from 1ms to 1h"#
        ),
        (
            "- {upstream: a, deadline: 16s}",
            "3:27: routes[0].deadline: expected a duration not above WEIR_DEADLINE, which is 15s"
        ),
        (
            "- {upstream: a, pool: reports}",
            #"3:23: routes[0].pool: "reports" is no pool; expected one of pools:"#
        ),
        ("- {upstream: a, pool: nome}", #"3:23: routes[0].pool: "nome" is no pool; did you mean none?"#),
        (
            "- {upstream: a, pool: none, concurrency: 5}",
            "3:42: routes[0].concurrency: expected pool or concurrency, not both"
        ),
        ("- {upstream: a, queue: 5}", "3:24: routes[0].queue: only a route with concurrency has a queue of its own"),
        (
            "- {upstream: a, priority: high}",
            #"3:27: routes[0].priority: "high": expected one of critical, default, sheddable"#
        ),
        (
            "- {upstream: a, limit: [1/s, 100]}",
            #"3:30: routes[0].limit[1].rate: "100": a rate is a number, a slash and a period, such as 100/s or 5/10m"#
        ),
        (
            "- {upstream: a, limit: {rate: 1/s, burst: many}}",
            #"3:43: routes[0].limit[0].burst: "many": a burst is a whole number of requests"#
        ),
        (
            "- {upstream: a, limit: {rate: 1/s, by: moon}}",
            #"3:40: routes[0].limit[0].by: "moon": by must be none, client, subject, host, route, header:NAME or param:NAME"#
        ),
        (
            "- {upstream: a, limit: {rate: 1/s;by=client}}",
            #"3:31: routes[0].limit[0].rate: "1/s;by=client": expected a rate such as 100/s or 5/10m"#
        ),
        (
            "- {upstream: a, limit: '1/s,2/s'}",
            #"3:24: routes[0].limit[0]: "1/s,2/s": expected one limit such as 100/s;burst=20;by=client; several are a list"#
        ),
        (
            "- {upstream: a, limit: [1/s;name=n, 2/s;name=n]}",
            #"3:37: routes[0].limit[1].name: "n": item 1 has this name already; give one of them another"#
        ),
        (
            "- {upstream: a, retry: {attempts: 11}}",
            #"3:35: routes[0].retry.attempts: "11": expected a whole number, from 0 to 10"#
        ),
        (
            "- {upstream: a, retry: {on: [500]}}",
            #"3:30: routes[0].retry.on[0]: "500": expected one of connect, reset, timeout, 502, 503, 504"#
        ),
        (
            "- {upstream: a, retry: {backoff: 1s}}",
            "3:24: routes[0].retry.backoff-max: expected a time not below backoff"
        ),
        (
            "- {upstream: a, rewrite: {path: /a, prefix: /b/}}",
            "3:45: routes[0].rewrite.prefix: expected path or prefix, not both"
        ),
        (
            "- {upstream: a, rewrite: {prefix: /b}}",
            #"3:35: routes[0].rewrite.prefix: "/b": expected a path that ends with /"#
        ),
        (
            "- {upstream: a, rewrite: {prefix: /b/%2E./}}",
            #"3:35: routes[0].rewrite.prefix: "/b/%2E./": expected a path without dot segments"#
        ),
        (
            "- {upstream: a, rewrite: {prefix: //}}",
            #"3:35: routes[0].rewrite.prefix: "//": expected a path without // and \"#
        ),
        (
            "- {upstream: a, rewrite: {path: //evil.test/}}",
            #"3:33: routes[0].rewrite.path: "//evil.test/": expected a path without // and \"#
        ),
        (
            #"- {upstream: a, rewrite: {prefix: '/a\b/'}}"#,
            #"3:35: routes[0].rewrite.prefix: "/a\b/": expected a path without // and \"#
        ),
        (
            "- {upstream: a, match: {path: /a}, rewrite: {prefix: /}}",
            #"3:54: routes[0].rewrite.prefix: match.path "/a" does not end in *; expected rewrite.path"#
        ),
        (
            "- {upstream: a, match: {path: '/a/:id'}, rewrite: {path: '/b/:it'}}",
            #"3:58: routes[0].rewrite.path: ":it" is no parameter of match.path "/a/:id""#
        ),
        (
            "- {upstream: a, rewrite: {host: a/b}}",
            #"3:33: routes[0].rewrite.host: "a/b": expected a host such as orders.shop.svc, with a port perhaps"#
        ),
        (
            "- {upstream: a, headers: {request: {set: {'x y': 1}}}}",
            #"3:43: routes[0].headers.request.set.x y: "x y": expected a field name such as x-version, "#
                + "of at most 128 letters, digits or !#$%&'*+-.^_`|~"
        ),
        (
            "- {upstream: a, headers: {request: {set: {Host: b}}}}",
            #"3:43: routes[0].headers.request.set.Host: "Host": the Host field is set by rewrite.host"#
        ),
        (
            "- {upstream: a, headers: {response: {remove: [Content-Length]}}}",
            #"3:47: routes[0].headers.response.remove[0]: "Content-Length": "#
                + "this field is the gateway's own; expected another"
        ),
        (
            "- {upstream: a, headers: {request: {add: {Proxy-Authorization: b}}}}",
            #"3:43: routes[0].headers.request.add.Proxy-Authorization: "Proxy-Authorization": "#
                + "this field is the gateway's own; expected another"
        ),
        (
            "- {upstream: a, headers: {request: {set: {transfer_encoding: chunked}}}}",
            #"3:43: routes[0].headers.request.set.transfer_encoding: "transfer_encoding": "#
                + "this field is the gateway's own; expected another"
        ),
        (
            "- {upstream: a, headers: {response: {set: {x-a: \"b\\nc\"}}}}",
            #"3:49: routes[0].headers.response.set.x-a: "b\nc": expected at most 4096 bytes without control characters"#
        ),
        (
            "- {upstream: a, headers: {request: {set: {x-a: ' b'}}}}",
            #"3:48: routes[0].headers.request.set.x-a: " b": expected a value without blanks at its ends"#
        ),
        (
            "- {upstream: a, headers: {request: {add: {x-a: \"b\\t\"}}}}",
            #"3:48: routes[0].headers.request.add.x-a: "b\t": expected a value without blanks at its ends"#
        ),
        (
            "- {upstream: a, headers: {request: {set: {a: 1, A: 2}}}}",
            "3:42: routes[0].headers.request.set: a is there twice; names have no case"
        ),
        (
            "- {upstream: a, tags: {header: Keep-Alive, upstreams: {b: a}}}",
            "3:32: routes[0].tags.header: keep-alive is for one connection and not passed on"
        ),
        ("- {upstream: a, tags: {header: x}}", "3:23: routes[0].tags: upstreams is missing"),
        (
            "- {upstream: a, tags: {header: x, upstreams: {canary: elsewhere}}}",
            #"3:55: routes[0].tags.upstreams.canary: "elsewhere" is no upstream; expected one of upstreams:"#
        ),
        ("- {upstream: a, guard: {factor: 2}}", "3:24: routes[0].guard: then is missing"),
        (
            "- {upstream: a, guard: {then: {shed: no}}}",
            "3:31: routes[0].guard.then: expected shed: true, deadline or upstream"
        ),
        (
            "- {upstream: a, guard: {then: {deadline: 15s}}}",
            "3:42: routes[0].guard.then.deadline: expected a duration below the route's deadline"
        ),
        (
            "- {upstream: a, match: {host: 'a:80'}}",
            #"3:31: routes[0].match.host[0]: "a:80": route host "a:80": a port is not part of a route's host; "#
                + #"write "shop.example.com", "*.example.com" or "[::1]""#
        ),
        (
            #"- {upstream: a, match: {path: "/\n"}}"#,
            #"3:31: routes[0].match.path[0]: "/\n": route pattern "/\n" contains byte 0xa, raw or escaped, which can be in "#
                + ##"no request's path; leave out control bytes, "\", "?", "#" and "%2F""##
        ),
        (
            "- {upstream: a, match: {path: a}}",
            #"3:31: routes[0].match.path[0]: "a": route pattern "a" does not start with "/"; write "/a""#
        ),
        (
            "- {upstream: a, match: {methods: [GET, CONNECT]}}",
            #"3:40: routes[0].match.methods[1]: "CONNECT": "#
                + "expected one of GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH"
        ),
        (
            "- {upstream: a, match: {headers: {x: {prefix: a, exact: b}}}}",
            "3:38: routes[0].match.headers.x: expected exactly one of exact, prefix, present; found exact and prefix"
        ),
        (
            "- a",
            "3:3: routes[0]: expected a mapping with any of match, upstream, split, redirect, mirror, deadline, pool, "
                + "concurrency, queue, priority, limit, retry, guard, rewrite, headers, tags"
        ),
        ("  a: b", "3:3: routes: expected a list of 0 to 10000"),
    ])
    func `a wrong route`(route: String, fault: String) throws {
        // The route has a line of its own, so that columns are those of the text.
        #expect(try Self.line("upstreams: {a: {endpoints: [http://a]}}\nroutes:\n\(route)") == "weir.yaml:\(fault)")
    }

    @Test(arguments: [
        (
            "upstreams: {a: {endpoints: [http://a]}}",
            "1:16: upstreams.a: no request comes here; expected routes:, or an upstream called default"
        ),
        (
            "upstreams: {a b: {endpoints: [http://a]}}",
            #"1:13: upstreams.a b: "a b": expected a name of 1 to 64 letters, digits, - _ and ."#
        ),
        ("upstreams: [a]", "1:12: upstreams: expected a mapping by name"),
        ("pools: {pod: {}}", "1:14: pools.pod: this name is Weir's own; expected another"),
        (
            "pools: {p: {concurrency: none}}",
            #"1:26: pools.p.concurrency: "none": expected auto, or a whole number, "#
                + "from 1 to 1000000, which may be for each CPU, such as 256/cpu"
        ),
        (
            "upstream: http://a\nupstreams: {default: {endpoints: [http://b]}}",
            "2:22: upstreams.default: its endpoints are those of upstream: already"
        ),
    ])
    func `wrong at the top`(yaml: String, fault: String) throws {
        #expect(try Self.line(yaml) == "weir.yaml:\(fault)")
    }

    @Test func `limits of all routes count among those of one`() throws {
        let yaml = "upstreams: {a: {endpoints: [http://a]}}\nroutes: [{upstream: a, limit: [1/s, 2/s]}]"
        let seven = (1...7).map { "\($0)/s" }.joined(separator: ",")
        #expect(
            try Self.line(yaml, ["WEIR_RATE_LIMIT": seven])
                == "weir.yaml:2:31: routes[0].limit: 9 limits with WEIR_RATE_LIMIT's; expected at most 8"
        )
        let line = try Self.line(
            "upstreams: {a: {endpoints: [http://a]}}\nroutes: [{upstream: a, limit: 1/s;by=client}]",
            ["WEIR_RATE_LIMIT_SCOPE": "cluster"]
        )
        #expect(line?.hasPrefix(#"weir.yaml:2:31: routes[0].limit[0]: "1/s;by=client": "#) == true)
    }
}
