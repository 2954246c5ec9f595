// SPDX-License-Identifier: Apache-2.0
// The variables that Kubernetes injects for Services called weir or weir-….

import Testing
import Weir

@Suite struct ServiceLinkTests {
    private static let url = ["tcp://10.0.0.1:80", "udp://10.0.0.1:53", "sctp://10.0.0.1:65535", "tcp://[fd00::1]:80"]
    private static let address = ["10.0.0.1", "fd00::1"]
    private static let port = ["1", "80", "65535"]
    private static let transport = ["tcp", "udp", "sctp"]

    @Test(arguments: [
        ("WEIR_SERVICE_HOST", address), ("WEIR_SERVICE_PORT", port + url), ("WEIR_SERVICE_PORT_HTTP", port),
        ("WEIR_SERVICE_PORT_HTTP_ADMIN", port), ("WEIR_PORT", url), ("WEIR_PORT_80_TCP", url),
        ("WEIR_PORT_80_UDP", url), ("WEIR_PORT_80_SCTP", url), ("WEIR_PORT_80_TCP_PROTO", transport),
        ("WEIR_PORT_80_TCP_PORT", port + url), ("WEIR_PORT_9901_TCP_ADDR", address),
        ("WEIR_GATEWAY_SERVICE_HOST", address), ("WEIR_GATEWAY_SERVICE_PORT", port),
        ("WEIR_GATEWAY_SERVICE_PORT_HTTP", port), ("WEIR_GATEWAY_PORT", url), ("WEIR_GATEWAY_PORT_80_TCP", url),
        ("WEIR_MY_GATEWAY_PORT_80_TCP_ADDR", address), ("WEIR_LISTEN_SERVICE_HOST", address),
        ("WEIR_SERVICE_SERVICE_HOST", address), ("WEIR_SERVICE_PORT_80_TCP", url + port),
    ])
    func `is ignored with what the kubelet writes`(name: String, values: [String]) throws {
        for value in values {
            #expect(ServiceLink.matches(name, value: value), "\(value)")
            #expect(try Settings(environment: [name: value]) == Settings(), "\(value)")
        }
    }

    @Test(arguments: [
        ("WEIR_SERVICE_HOST", ["", "weir", "10.0.0", "10.0.0.1:80", "[fd00::1]", "80"]),
        ("WEIR_SERVICE_PORT_HTTP", ["", "0", "65536", "-1", "http", "10.0.0.1", "tcp://10.0.0.1:80"]),
        ("WEIR_PORT_80_TCP_PORT", ["", "http", "0"]),
        ("WEIR_PORT_80_TCP_ADDR", ["", "tcp", "tcp://10.0.0.1:80"]),
        ("WEIR_PORT_80_TCP_PROTO", ["", "TCP", "http", "80"]),
        (
            "WEIR_PORT",
            [
                "", "8080", ":8080", "10.0.0.1:80", "http://10.0.0.1:80", "tcp:10.0.0.1:80", "tcp://10.0.0.1",
                "tcp://10.0.0.1:", "tcp://:80", "tcp://weir:80", "tcp://10.0.0.1:80/", "tcp://10.0.0.1:0", "tcp://",
                "tcp",
            ]
        ),
        ("WEIR_PORT_80_TCP", ["", "80", "tcp", "10.0.0.1"]),
    ])
    func `with another value it is a setting that nobody knows`(name: String, values: [String]) {
        for value in values {
            #expect(!ServiceLink.matches(name, value: value), "\(value)")
            let nearest = name == "WEIR_PORT" ? "WEIR_LISTEN" : nil
            #expect(throws: SettingsError.unknown(name: name, value: value, nearest: nearest), "\(value)") {
                try Settings(environment: [name: value])
            }
        }
    }

    @Test(arguments: [("WEIR_PORT", "WEIR_LISTEN"), ("WEIR_ADMIN_PORT", "WEIR_ADMIN_LISTEN")])
    func `who wants to set a port is told the setting for it`(name: String, meant: String) {
        #expect(throws: SettingsError.unknown(name: name, value: "8080", nearest: meant)) {
            try Settings(environment: [name: "8080"])
        }
    }

    @Test(arguments: [
        "WEIR_SERVICE", "WEIR_SERVICE_HOSTS", "WEIR_SERVICE_HOST_HTTP", "WEIR_PORTS", "WEIR_PORT_80", "WEIR_PORT_X_TCP",
        "WEIR_PORT_80_HTTP", "WEIR_PORT_80_TCP_HOST", "WEIR_PORT__TCP", "WEIR_HOST", "WEIR_80_TCP",
        "OTHER_SERVICE_HOST", "WEIR_PORT_80_tcp", "WEIR_PORT_0_TCP",
    ])
    func `is not mistaken for one`(name: String) {
        #expect(ServiceLink.forms(of: name).isEmpty)
    }

    @Test func `no setting is named so`() {
        for setting in Settings.table {
            #expect(ServiceLink.forms(of: setting.name).isEmpty, "\(setting.name)")
        }
    }
}
