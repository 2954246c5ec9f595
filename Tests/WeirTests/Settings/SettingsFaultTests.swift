// SPDX-License-Identifier: Apache-2.0
// Every way in which a setting can be wrong, and the line that says so.

import Testing
import Weir

/// A number or duration or size with its outermost values and the nearest beyond them.
struct Bounds: Sendable, CustomTestStringConvertible {
    let name: String
    let good: [String]
    let bad: [String]

    var testDescription: String { name }

    init(_ name: String, _ good: [String], _ bad: [String]) {
        self.name = name
        self.good = good
        self.bad = bad
    }

    static let all = [
        Bounds(
            "WEIR_CONFIG",
            ["weir.yaml", "/" + String(repeating: "c", count: 4094)],
            ["/" + String(repeating: "c", count: 4095), "/etc/\u{0}"]
        ),
        Bounds(
            "WEIR_LISTEN",
            [":0", ":65535"],
            [":65536", "8080", ":", "off", ":80,", "host.example:80", ":-1", ":+1"]
        ),
        Bounds("WEIR_ADMIN_LISTEN", ["off", ":0"], ["none", "9901"]),
        Bounds(
            "WEIR_TLS_CERT",
            ["/a.crt", "a.crt"],
            ["/a.crt,", ",", "a\u{0}b", String(repeating: "a", count: 4096)]
        ),
        Bounds("WEIR_TLS_KEY", ["/a.key", "a.key"], ["/a.key,", "a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_TLS_OCSP", ["/a.ocsp", "-"], ["/a,", "a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds(
            "WEIR_TLS_TICKET_KEYS",
            ["/a,/b", "a", "1,2,3,4,5,6,7,8"],
            ["/a,", "a\u{0}b", "1,2,3,4,5,6,7,8,9"]
        ),
        Bounds("WEIR_TLS_MIN", ["1.2", "1.3"], ["1.1", "1", "tls1.3"]),
        Bounds("WEIR_TLS_CLIENT", ["off", "optional", "required"], ["on", "none"]),
        Bounds("WEIR_TLS_CLIENT_CA", ["/ca.crt"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_TLS_HANDSHAKE_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_TLS_REDIRECT", ["0", "65535"], ["65536", "off", "-1"]),
        Bounds("WEIR_TLS_EARLY_DATA", ["on", "false"], ["safe"]),
        Bounds(
            "WEIR_TLS_HSTS",
            ["", "max-age=0", "max-age=31536000; includeSubDomains; preload", "max-age=1;preload"],
            ["31536000", "max-age=", "max-age=-1", "max-age=1;", "max-age=1; preload; preload", "max-age=1\r\nX: y"]
        ),
        Bounds("WEIR_TLS_HANDSHAKES", ["1", "1000"], ["0", "1001", "auto"]),
        Bounds(
            "WEIR_UPSTREAM",
            [
                "http://127.0.0.1", "https://a.example", "http://a.example:8080;weight=65535,unix:/run/a.sock",
                "k8s://shop/a", "dns://a:80",
            ],
            [
                "k8s://shop", "dns://a", "k8s://shop/a,http://b", "ftp://a.example", "a.example:80",
                "http://a.example,http://a.example", "http://a.example;weight=0",
            ]
        ),
        Bounds("WEIR_UPSTREAM_CONNECTIONS", ["1", "1000000"], ["0", "1000001", "auto"]),
        Bounds("WEIR_UPSTREAM_WAITING", ["0", "1000000"], ["1000001", "-1"]),
        Bounds("WEIR_UPSTREAM_CONNECT_TIMEOUT", ["10ms", "1m"], ["9ms", "61s"]),
        Bounds("WEIR_UPSTREAM_IDLE_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_UPSTREAM_TRANSFER_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_UPSTREAM_HEADER_BYTES", ["1KiB", "256KiB"], ["1023", "262145"]),
        Bounds("WEIR_UPSTREAM_HEADER_FIELDS", ["8", "1000"], ["7", "1001"]),
        Bounds("WEIR_UPSTREAM_PROXY_PROTOCOL", ["off", "v1", "V2"], ["1", "v3", "true"]),
        Bounds("WEIR_UPSTREAM_BALANCE", ["least-latency", "round-robin", "Maglev", "first"], ["p2c", "random"]),
        Bounds(
            "WEIR_DNS_SERVERS",
            ["10.0.0.10", "10.0.0.10,127.0.0.1:5353, [fd00::10]:53", String(repeating: "1", count: 1024)],
            [String(repeating: "1", count: 1025)]
        ),
        Bounds(
            "WEIR_CONSUL_TOKEN",
            [String(repeating: "a", count: 16), String(repeating: "~", count: 512)],
            ["fifteen-letters", String(repeating: "a", count: 513), "sixteen letters."]
        ),
        Bounds("WEIR_CONSUL_TLS_CA", ["/ca.crt"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_CONSUL_TLS_SERVER_NAME", ["server.dc1.consul", "10.0.0.1"], ["a:80", "a b"]),
        Bounds("WEIR_CONSUL_TLS_CERT", ["/a.crt"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_CONSUL_TLS_KEY", ["/a.key"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds(
            "WEIR_KUBERNETES_API",
            ["http://127.0.0.1:8001", "https://kubernetes.default.svc", "https://[fd00::1]:6443"],
            ["127.0.0.1:8001", "ftp://a", "https://a/b", "unix:/a"]
        ),
        Bounds("WEIR_KUBERNETES_ACCOUNT", ["/a"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_ZONE", ["eu-1", String(repeating: "a", count: 63)], ["eu 1", String(repeating: "a", count: 64)]),
        Bounds("WEIR_STREAMS", ["1", "10000000", "auto"], ["0", "10000001"]),
        Bounds("WEIR_TUNNELS", ["0", "10000000", "auto"], ["-1", "10000001"]),
        Bounds("WEIR_TUNNEL_TIMEOUT", ["10ms", "24h"], ["9ms", "86401s"]),
        Bounds("WEIR_UPSTREAM_TLS_CA", ["/ca.crt"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds(
            "WEIR_UPSTREAM_TLS_SERVER_NAME",
            ["shop.svc", "10.0.0.1", "fd00::1"],
            ["a:80", "a b", "https://a", "a/b", "[::1]:80"]
        ),
        Bounds("WEIR_UPSTREAM_TLS_CERT", ["/a.crt"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_UPSTREAM_TLS_KEY", ["/a.key"], ["a\u{0}b", String(repeating: "a", count: 4096)]),
        Bounds("WEIR_UPSTREAM_TLS_VERIFY", ["true", "off"], ["maybe"]),
        Bounds("WEIR_UPSTREAM_TLS_MIN", ["1.2", "1.3"], ["1.1", "tls1.3"]),
        Bounds("WEIR_BASELINE", ["/var/lib/weir"], ["/" + String(repeating: "c", count: 4095)]),
        Bounds(
            "WEIR_BASELINE_VERSION",
            ["1", "1.4.2-rc_1+Z", String(repeating: "v", count: 64)],
            [".1", "a/b", "ü", String(repeating: "v", count: 65)]
        ),
        Bounds(
            "WEIR_TRUSTED_PROXIES",
            ["10.0.0.0/8, fd00::/8", "loopback,private,unix"],
            ["10.0.0.0/33", "everyone"]
        ),
        Bounds("WEIR_PROXY_PROTOCOL", ["true", "off"], ["v1"]),
        Bounds(
            "WEIR_ADMIN_TOKEN",
            [String(repeating: "a", count: 16), String(repeating: "~", count: 512)],
            ["fifteen-letters", String(repeating: "a", count: 513), "sixteen letters.", "sixteen-lëtters."]
        ),
        Bounds(
            "WEIR_RATE_LIMIT",
            [
                "100/s;burst=20;by=client", "1000000000/1s", "1/365d", "1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s",
                "5/m;algorithm=sliding-window", "131071/s;algorithm=sliding-window", "1/s;by=header:X-Key;name=k",
            ],
            [
                "100", "100/", "/s", "0/s", "1000000001/s", "1/0s", "1/366d", "1/ms", "1/s;", "1/s;burst=0",
                "1/s;burst=1000000001", "1/d;burst=366", "1/s;by=moon", "1/s;by=header:", "1/s;by=header:a b",
                "1/s;by=param:", "1/s;algorithm=fast", "5/m;algorithm=sliding-window;burst=3",
                "131072/s;algorithm=sliding-window", "1/s;name=", "1/s;name=\"", "1/s;color=red", "1/s;by=host;by=host",
                "1/s;name=a,2/s;name=a", "1/s,", "1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s,9/s",
            ]
        ),
        Bounds("WEIR_RATE_LIMIT_TABLE", ["4KiB", "1GiB", "auto"], ["4095", "1073741825", "automatic", "1MB"]),
        Bounds("WEIR_RATE_LIMIT_FIELDS", ["true", "off"], ["maybe", "2"]),
        Bounds("WEIR_RATE_LIMIT_SCOPE", ["pod", "CLUSTER"], ["node", "all"]),
        Bounds(
            "WEIR_REPLICAS",
            ["1", "100000", "k8s://shop/a"],
            ["0", "100001", "auto", "-1", "k8s://a", "k8s://a/b:80"]
        ),
        Bounds(
            "WEIR_REDIS",
            ["redis://redis.shop.svc:6379/0", "unix:/" + String(repeating: "r", count: 1018)],
            ["redis://redis.shop.svc\n:6379", "unix:/" + String(repeating: "r", count: 1019)]
        ),
        Bounds("WEIR_REDIS_BUDGET", ["1ms", "1s"], ["0", "1001ms"]),
        Bounds(
            "WEIR_CONCURRENCY",
            ["1", "1000000", "1/cpu", "256/CPU", "auto", "Auto"],
            ["0", "1000001", "0/cpu", "1000001/cpu", "/cpu", "cpu", "1/core", "1.5/cpu", "-1", "automatic"]
        ),
        Bounds("WEIR_QUEUE", ["0", "1000000", "auto"], ["-1", "1000001", "4/cpu", "off"]),
        Bounds(
            "WEIR_PRIORITY_HEADER",
            ["X-Priority", String(repeating: "a", count: 64)],
            ["x priority", "x:", "x\u{0}", "ümlaut", String(repeating: "a", count: 65)]
        ),
        Bounds("WEIR_SIGNAL_WINDOW", ["1s", "10m"], ["999ms", "601s", "10"]),
        Bounds("WEIR_PEAK_WINDOW", ["1s", "1h"], ["999ms", "3601s", "off"]),
        Bounds("WEIR_MEMORY_SHED", ["10", "95"], ["9", "101", "85%", "auto"]),
        Bounds("WEIR_MEMORY_CRITICAL", ["85", "100"], ["9", "101", "95%", "off"]),
        Bounds(
            "WEIR_CPU_REQUEST",
            ["1m", "500m", "0.5", "2", "2.125", "1024", "1024000m", "0", "0m", "0.000"],
            [
                "-1", "+1", "1025", "1024001m", "0.5m", "m", ".", ".5", "1.", "1.2345", "1e3", "500M", "2 CPUs", "auto",
                "99999999999999999999",
            ]
        ),
        Bounds("WEIR_CPU_ROUNDING", ["up", "Nearest", "down"], ["even", "1"]),
        Bounds("WEIR_LOOPS", ["1", "256", "auto"], ["0", "257", "-1", "+1", "1.5", "two", "0x1"]),
        Bounds("WEIR_PIN", ["1", "0"], ["2", "maybe"]),
        Bounds("WEIR_LOOP_STALL", ["1ms", "10s"], ["0", "10001ms", "50"]),
        Bounds("WEIR_LOOP_STUCK", ["1s", "10m"], ["999ms", "601s"]),
        Bounds("WEIR_WORKERS", ["1", "4096", "auto"], ["0", "4097", "automatic"]),
        Bounds("WEIR_WORKERS_MIN", ["1", "4096"], ["0", "4097", "auto"]),
        Bounds("WEIR_WORKERS_QUEUE", ["1", "1048576"], ["0", "1048577"]),
        Bounds("WEIR_WORKERS_IDLE", ["1s", "1h"], ["999ms", "3601s"]),
        Bounds("WEIR_BACKGROUND_TASKS", ["1", "4096", "auto"], ["0", "4097", "half"]),
        Bounds("WEIR_BACKGROUND_QUEUE", ["1", "1048576"], ["0", "1048577", "auto"]),
        Bounds(
            "WEIR_DEADLINE",
            ["1ms", "1h", "60m"],
            ["0", "0ms", "61m", "15", "15 s", "1.5s", "s", "-1s", "15S", "1d"]
        ),
        Bounds(
            "WEIR_DEADLINE_HEADER",
            ["x-deadline", "X-Deadline", String(repeating: "x", count: 64)],
            ["Host", "grpc-timeout", "x deadline", "x-deadline:", "x_request_id", String(repeating: "x", count: 65)]
        ),
        Bounds("WEIR_TAG_HEADER", ["x-track", "X-Track"], ["Host", "Connection", "x track", "x-forwarded-for"]),
        Bounds("WEIR_DRAIN_DELAY", ["0", "25s"], ["601s", "soon", "99999999999999999999s", "9223372036854775807h"]),
        Bounds("WEIR_DRAIN_TIMEOUT", ["5s", "1h"], ["3601s"]),
        Bounds("WEIR_REQUEST_LINE_BYTES", ["256", "64KiB"], ["255", "65537", "8KB", "8kib", "8 KiB", "KiB", "1e3"]),
        Bounds("WEIR_HEADER_BYTES", ["1KiB", "256KiB"], ["1023", "262145"]),
        Bounds("WEIR_HEADER_FIELDS", ["8", "1000"], ["7", "1001", "1KiB"]),
        Bounds("WEIR_BODY_BYTES", ["0", "1GiB"], ["1073741825", "2GiB", "9223372036854775807GiB"]),
        Bounds("WEIR_BODY_WINDOW", ["4KiB", "16MiB"], ["4095", "17MiB"]),
        Bounds("WEIR_OUTPUT_WINDOW", ["16KiB", "16MiB"], ["16383", "17MiB"]),
        Bounds("WEIR_HEAD_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_BODY_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_KEEPALIVE_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_WRITE_TIMEOUT", ["10ms", "1h"], ["9ms", "3601s"]),
        Bounds("WEIR_BODY_RATE_MIN", ["0", "1GiB"], ["2GiB", "off"]),
        Bounds("WEIR_KEEPALIVE_REQUESTS", ["1", "1000000000"], ["0", "1000000001"]),
        Bounds("WEIR_CONNECTION_AGE", ["1s", "24h", "off"], ["999ms", "25h", "none"]),
        Bounds("WEIR_CONNECTIONS", ["1", "10000000", "auto"], ["0", "10000001"]),
        Bounds("WEIR_BUFFER_MEMORY", ["256KiB", "64GiB", "auto"], ["255KiB", "65GiB", "off"]),
        Bounds("WEIR_SOCKET_BUFFER", ["8KiB", "64MiB", "auto"], ["8191", "65MiB", "off"]),
        Bounds("WEIR_DESCRIPTORS_HIGH", ["10", "100"], ["9", "101", "85%"]),
        Bounds("WEIR_BACKLOG", ["1", "65535"], ["0", "65536"]),
        Bounds("WEIR_FAST_OPEN", ["0", "65535"], ["65536", "off"]),
        Bounds("WEIR_LOG_LEVEL", ["trace", "critical"], ["verbose", "warn"]),
        Bounds("WEIR_LOG_FORMAT", ["json", "text"], ["xml"]),
        Bounds(
            "WEIR_ACCESS_LOG",
            ["off", "OFF", "stdout", "/var/log/access.log", "/a"],
            [
                "on", "stderr", "access.log", "./access.log", "/", "/var/log/", "/a\u{0}b",
                "/" + String(repeating: "a", count: 4095),
            ]
        ),
        Bounds("WEIR_ACCESS_LOG_BUFFER", ["64KiB", "64MiB", "auto"], ["65535", "65MiB", "off"]),
    ]
}

@Suite struct SettingsFaultTests {
    @Test func `the bounds table has every setting`() {
        #expect(Bounds.all.map(\.name) == Settings.table.map(\.name))
    }

    @Test(arguments: Bounds.all)
    func `the outermost values are taken and those beyond refused`(bounds: Bounds) throws {
        for value in bounds.good {
            var environment = [bounds.name: value]
            // It needs the other, which has a row of its own.
            if bounds.name == "WEIR_PROXY_PROTOCOL" { environment["WEIR_TRUSTED_PROXIES"] = "loopback" }
            let pairs = ["WEIR_TLS_CERT", "WEIR_TLS_KEY"]
            if pairs.contains(bounds.name) || bounds.name == "WEIR_TLS_OCSP" {
                environment["WEIR_LISTEN"] = "tls://:0"
                for name in pairs where name != bounds.name { environment[name] = "/b" }
            }
            for prefix in ["WEIR_UPSTREAM_TLS_", "WEIR_CONSUL_TLS_"] {
                if bounds.name == prefix + "CERT" { environment[prefix + "KEY"] = "/b" }
                if bounds.name == prefix + "KEY" { environment[prefix + "CERT"] = "/b" }
            }
            if bounds.name == "WEIR_TLS_CLIENT", value != "off" { environment["WEIR_TLS_CLIENT_CA"] = "/ca.crt" }
            if bounds.name == "WEIR_TLS_CLIENT_CA" { environment["WEIR_TLS_CLIENT"] = "optional" }
            if bounds.name == "WEIR_REDIS" { environment["WEIR_RATE_LIMIT_SCOPE"] = "cluster" }
            #expect(throws: Never.self, "\(value)") { try Settings(environment: environment) }
        }
        for value in bounds.bad {
            let setting = try #require(Settings.table.first { $0.name == bounds.name })
            let fault = #expect(throws: SettingsError.self, "\(value)") {
                try Settings(environment: [bounds.name: value])
            }
            if case .refused(bounds.name, value, let reason) = fault {
                #expect(reason == setting.reason(value))
            } else {
                let shown = setting.isSecret ? "***" : value
                #expect(setting.reason(value) == nil)
                #expect(fault == .invalid(name: bounds.name, value: shown, expected: setting.expected))
            }
        }
    }

    @Test(arguments: [
        (
            ["WEIR_TAG_HEADER": "X-One", "WEIR_DEADLINE_HEADER": "x-one"],
            #"WEIR_TAG_HEADER="X-One" with WEIR_DEADLINE_HEADER="x-one": expected another field than that of the deadline"#
        ),
        (
            ["WEIR_PROXY_PROTOCOL": "on"],
            #"WEIR_PROXY_PROTOCOL="true" with WEIR_TRUSTED_PROXIES="": expected the proxies that send the header"#
        ),
        (
            ["WEIR_LISTEN": "tls://:8443"],
            #"WEIR_LISTEN="tls://:8443" with WEIR_TLS_CERT="": expected a certificate for the addresses with tls://"#
        ),
        (
            ["WEIR_TLS_CERT": "/a,/b", "WEIR_TLS_KEY": "/c", "WEIR_LISTEN": "tls://:1"],
            #"WEIR_TLS_KEY="/c" with WEIR_TLS_CERT="/a,/b": expected as many keys as certificates"#
        ),
        (
            ["WEIR_TLS_CERT": "/a", "WEIR_TLS_KEY": "/c", "WEIR_TLS_OCSP": "/d,-", "WEIR_LISTEN": "tls://:1"],
            #"WEIR_TLS_OCSP="/d,-" with WEIR_TLS_CERT="/a": expected as many responses as certificates, - for none"#
        ),
        (
            ["WEIR_TLS_EARLY_DATA": "on", "WEIR_TLS_TICKET_KEYS": "/k"],
            #"WEIR_TLS_EARLY_DATA="true" with WEIR_TLS_TICKET_KEYS="/k": expected one of them alone"#
        ),
        (
            [
                "WEIR_TLS_EARLY_DATA": "on", "WEIR_TLS_CLIENT": "required", "WEIR_TLS_CLIENT_CA": "/d",
                "WEIR_LISTEN": "tls://:1;cert=/a;key=/c",
            ],
            #"WEIR_TLS_EARLY_DATA="true" with WEIR_TLS_CLIENT="required": expected an address that asks clients for no certificate"#
        ),
        (
            ["WEIR_UPSTREAM_TLS_VERIFY": "off", "WEIR_UPSTREAM_TLS_CA": "/d"],
            #"WEIR_UPSTREAM_TLS_VERIFY="false" with WEIR_UPSTREAM_TLS_CA="/d": expected verification by the CA, or neither"#
        ),
        (
            ["WEIR_LISTEN": "tls://:1;cert=/a;cert=/b;key=/c"],
            #"WEIR_LISTEN="tls://:1;cert=/a;cert=/b;key=/c": expected as many key= as cert="#
        ),
        (
            ["WEIR_LISTEN": "tls://:1;cert=/a;key=/c;client=required"],
            #"WEIR_LISTEN="tls://:1;cert=/a;key=/c;client=required": expected client-ca=, the CAs of clients"#
        ),
        (
            ["WEIR_LISTEN": "tls://:1;cert=/a;key=/c;client-ca=/d"],
            #"WEIR_LISTEN="tls://:1;cert=/a;key=/c;client-ca=/d": expected client=optional or client=required with client-ca="#
        ),
        (
            ["WEIR_TLS_CERT": "/a", "WEIR_TLS_KEY": "/c", "WEIR_LISTEN": "tls://:1;cert=/a;key=/c"],
            #"WEIR_TLS_CERT="/a" with WEIR_LISTEN="tls://:1;cert=/a;key=/c": expected an address with tls://, such as tls://:8443"#
        ),
        (
            ["WEIR_TLS_CERT": "/a", "WEIR_TLS_KEY": "/c"],
            #"WEIR_TLS_CERT="/a" with WEIR_LISTEN=":8080": expected an address with tls://, such as tls://:8443"#
        ),
        (
            ["WEIR_DEADLINE": "15 parsecs"],
            #"WEIR_DEADLINE="15 parsecs": expected a duration such as 250ms, 15s or 5m, from 1ms to 1h"#
        ),
        (["WEIR_LOOPS": "many"], #"WEIR_LOOPS="many": expected auto or a whole number, from 1 to 256"#),
        (
            ["WEIR_BODY_BYTES": "ten"],
            #"WEIR_BODY_BYTES="ten": expected a size in bytes such as 512, 64KiB or 10MiB, from 0 to 1GiB"#
        ),
        (["WEIR_LOG_FORMAT": "xml"], #"WEIR_LOG_FORMAT="xml": expected one of json, text"#),
        (["WEIR_PIN": "si"], #"WEIR_PIN="si": expected true or false (or on/off, yes/no, 1/0)"#),
        (
            ["WEIR_CONNECTION_AGE": "old"],
            #"WEIR_CONNECTION_AGE="old": expected a duration such as 250ms, 15s or 5m, from 1s to 24h, or off"#
        ),
        (
            ["WEIR_PIN": "a\"b\nc\u{1B}\u{202E}"],
            #"WEIR_PIN="a\"b\nc\u{1b}\u{202e}": expected true or false (or on/off, yes/no, 1/0)"#
        ),
        (["WEIR_LISTEM": ":80"], #"WEIR_LISTEM=":80": not a setting; did you mean WEIR_LISTEN?"#),
        (["WEIR_DEADLNIE": "1s"], #"WEIR_DEADLNIE="1s": not a setting; did you mean WEIR_DEADLINE?"#),
        (
            ["WEIR_KEEPALIVE_TIMOUT": "1s"],
            #"WEIR_KEEPALIVE_TIMOUT="1s": not a setting; did you mean WEIR_KEEPALIVE_TIMEOUT?"#
        ),
        (["WEIR_LOOP": "1"], #"WEIR_LOOP="1": not a setting; did you mean WEIR_LOOPS?"#),
        (["WEIR_FLUX": "1"], #"WEIR_FLUX="1": not a setting; expected a name of docs/configuration.md"#),
        (["WEIR_DEADLNIE": ""], #"WEIR_DEADLNIE="": not a setting; did you mean WEIR_DEADLINE?"#),
        (["WEIR_PORT": "8080"], #"WEIR_PORT="8080": not a setting; did you mean WEIR_LISTEN?"#),
        (["WEIR_": "1"], #"WEIR_="1": not a setting; expected a name of docs/configuration.md"#),
        (
            ["WEIR_UPSTREAM": "http://a, http://b/c"],
            #"WEIR_UPSTREAM="http://a, http://b/c": endpoint "http://b/c" has a path; leave "/c" out, requests keep their own"#
        ),
        (
            ["WEIR_UPSTREAM": "http://me:secret@b"],
            #"WEIR_UPSTREAM="http://***@b": endpoint "http://***@b" has a user name; write http://host:port alone"#
        ),
        (
            ["WEIR_UPSTREM": "http://me:secret@b"],
            #"WEIR_UPSTREM="http://***@b": not a setting; did you mean WEIR_UPSTREAM?"#
        ),
        (
            ["WEIR_DRAIN_TIMEOUT": "4s"],
            #"WEIR_DRAIN_TIMEOUT="4s" with WEIR_DRAIN_DELAY="5s": expected a drain timeout not below the drain delay"#
        ),
        (
            ["WEIR_WORKERS": "2", "WEIR_WORKERS_MIN": "3"],
            #"WEIR_WORKERS="2" with WEIR_WORKERS_MIN="3": expected a most number of workers not below the least"#
        ),
        (
            ["WEIR_MEMORY_CRITICAL": "84"],
            #"WEIR_MEMORY_CRITICAL="84" with WEIR_MEMORY_SHED="85": expected a share not below that for sheddable requests"#
        ),
        (
            ["WEIR_CONCURRENCY": "4/core"],
            #"WEIR_CONCURRENCY="4/core": expected auto, or a whole number, from 1 to 1000000, which may be for each CPU, such as 256/cpu"#
        ),
        (
            ["WEIR_PRIORITY_HEADER": "x priority"],
            #"WEIR_PRIORITY_HEADER="x priority": expected a field name such as x-deadline, at most 64 bytes, unknown to Weir"#
        ),
        (
            ["WEIR_RATE_LIMIT": "1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s,9/s"],
            #"WEIR_RATE_LIMIT="1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s,9/s": expected at most 8 limits such as 100/s;burst=20;by=client"#
        ),
        (
            ["WEIR_LOOP_STUCK": "1s", "WEIR_LOOP_STALL": "2s"],
            #"WEIR_LOOP_STUCK="1s" with WEIR_LOOP_STALL="2s": expected a time for stuck loops not below that for stalls"#
        ),
        (
            ["WEIR_ADMIN_LISTEN": ":8080"],
            #"WEIR_ADMIN_LISTEN=":8080" with WEIR_LISTEN=":8080": expected different addresses for probes and for requests"#
        ),
    ])
    func `a fault is one line that says what is right`(environment: [String: String], line: String) {
        let error = #expect(throws: SettingsError.self) { try Settings(environment: environment) }
        #expect(error?.description == line)
    }

    @Test func `as much for each CPU as no pool may run is refused, and names what may be`() throws {
        let settings = try Settings(environment: ["WEIR_CONCURRENCY": "250000/cpu"])
        #expect(throws: Never.self) { try settings.checkConcurrency(cpus: 4) }
        let error = #expect(throws: SettingsError.self) { try settings.checkConcurrency(cpus: 5) }
        #expect(
            error?.description
                == #"WEIR_CONCURRENCY="250000/cpu": 1250000 on 5 CPUs; expected at most 1000000 in all"#
        )
    }

    @Test func `unknown names come first, in alphabetical order`() {
        let environment = ["WEIR_LOOPS": "0", "WEIR_ZEBRA": "1", "WEIR_APPLE": "1"]
        #expect(throws: SettingsError.unknown(name: "WEIR_APPLE", value: "1", nearest: nil)) {
            try Settings(environment: environment)
        }
    }

    @Test func `a very long value is cut in the line`() {
        let value = String(repeating: "x", count: 100_000)
        let error = #expect(throws: SettingsError.self) { try Settings(environment: ["WEIR_PIN": value]) }
        #expect((error?.description.utf8.count ?? 0) < 400)
    }

    @Test func `a very long unknown name is refused quickly`() {
        let name = "WEIR_" + String(repeating: "X", count: 100_000)
        #expect(throws: SettingsError.unknown(name: name, value: "1", nearest: nil)) {
            try Settings(environment: [name: "1"])
        }
    }
}
