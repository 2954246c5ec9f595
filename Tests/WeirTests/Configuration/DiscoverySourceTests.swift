// SPDX-License-Identifier: Apache-2.0
// The URLs that say where endpoints are found.

import Testing
import Weir
import WeirEventLoop
import WeirUpstream

@Suite struct DiscoverySourceTests {
    private static func source(_ url: String) throws -> DiscoverySource? {
        try GatewayConfiguration.upstream("discover: '\(url)'").discover
    }

    @Test(arguments: [
        ("file:///run/orders.json", DiscoverySource.file(path: "/run/orders.json")),
        ("dns://Orders.shop.svc:8080", .addresses(name: "orders.shop.svc", port: 8080)),
        ("dns://orders:80", .addresses(name: "orders", port: 80)),
        ("dns+srv://_http._tcp.orders.shop.svc", .services(name: "_http._tcp.orders.shop.svc")),
        (
            "consul://consul:8500/orders",
            .consul(ConsulService(server: .name("consul", port: 8500), name: "orders"))
        ),
        (
            "consul+https://consul:8501/orders",
            .consul(ConsulService(server: .name("consul", port: 8501), name: "orders", isSecure: true))
        ),
        (
            "consul://127.0.0.1:80/orders?tag=v2&tag=eu&dc=west",
            .consul(
                ConsulService(
                    server: .address(.ipv4(0x7F00_0001, port: 80)),
                    name: "orders",
                    tags: ["v2", "eu"],
                    datacenter: "west"
                )
            )
        ),
        (
            "consul://[::1]:8500/orders",
            .consul(ConsulService(server: .address(.ipv6(0, 1, port: 8500)), name: "orders"))
        ),
    ])
    func `a source is a URL, and reads back`(url: String, source: DiscoverySource) throws {
        #expect(try Self.source(url) == source)
        #expect(try Self.source(source.description) == source)
    }

    @Test(arguments: ["k8s://shop/orders", "k8s://shop/orders:8080", "k8s://shop/orders:http"])
    func `a service of a cluster may stand for the endpoints of the settings, too`(url: String) throws {
        let service = try #require(KubernetesService(url: url))
        #expect(try Self.source(url) == .kubernetes(service))
        let settings = try Settings(environment: ["WEIR_UPSTREAM": " \(url) "])
        let upstream = try #require(GatewayConfiguration.withoutFile(settings).upstreams.first)
        #expect(upstream.discover == .kubernetes(service) && upstream.endpoints.isEmpty)
    }

    @Test(arguments: [
        (
            "orders",
            "no scheme; expected file:///run/orders.json, dns://name:port, dns+srv://name, "
                + "consul://host:8500/service?tag=v2 or k8s://namespace/service:port"
        ),
        (
            "etcd://a",
            #"scheme "etcd" is not known; expected file:///run/orders.json, dns://name:port, dns+srv://name, "#
                + "consul://host:8500/service?tag=v2 or k8s://namespace/service:port"
        ),
        ("file://run/a", "expected the absolute path of a file, such as file:///run/orders.json"),
        ("file:///run/", "expected the absolute path of a file, such as file:///run/orders.json"),
        ("dns://orders", "expected a name and a port, such as dns://orders.shop.svc:8080"),
        ("dns://10.0.0.1:80", "expected a name and a port, such as dns://orders.shop.svc:8080"),
        ("dns://orders:0", "expected a name and a port, such as dns://orders.shop.svc:8080"),
        ("dns+srv://orders:80", "expected a name without a port, such as dns+srv://_http._tcp.orders.shop.svc"),
        (
            "consul://consul/orders",
            "expected a server, a service and perhaps tags, such as "
                + "consul://127.0.0.1:8500/orders?tag=v2"
        ),
        (
            "consul://[::1]/orders",
            "expected a server, a service and perhaps tags, such as "
                + "consul://127.0.0.1:8500/orders?tag=v2"
        ),
        (
            "consul://consul:8500",
            "expected a server, a service and perhaps tags, such as "
                + "consul://127.0.0.1:8500/orders?tag=v2"
        ),
        (
            "consul://consul:8500/a/b",
            "expected a server, a service and perhaps tags, such as "
                + "consul://127.0.0.1:8500/orders?tag=v2"
        ),
        (
            "k8s://orders",
            "expected a namespace, a service and a port by name or number, such as k8s://shop/orders:http"
        ),
        ("consul://consul:8500/a?near=b", #"option "near" is not known, or stands twice; tag and dc are"#),
        ("consul://consul:8500/a?dc=b&dc=c", #"option "dc" is not known, or stands twice; tag and dc are"#),
    ])
    func `a fault says what would be right`(url: String, reason: String) {
        let error = #expect(throws: SettingsError.self) { try Self.source(url) }
        #expect(error?.description == #"weir.yaml:1:33: upstreams.default.discover: "\#(url)": \#(reason)"#)
    }
}
