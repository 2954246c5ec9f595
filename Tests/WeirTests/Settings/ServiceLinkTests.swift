// SPDX-License-Identifier: Apache-2.0
// The variables that Kubernetes injects for Services called weir or weir-….

import Testing
import Weir

@Suite struct ServiceLinkTests {
    @Test(arguments: [
        "WEIR_SERVICE_HOST", "WEIR_SERVICE_PORT", "WEIR_SERVICE_PORT_HTTP", "WEIR_SERVICE_PORT_HTTP_ADMIN",
        "WEIR_PORT", "WEIR_PORT_80_TCP", "WEIR_PORT_80_UDP", "WEIR_PORT_80_SCTP", "WEIR_PORT_80_TCP_PROTO",
        "WEIR_PORT_80_TCP_PORT", "WEIR_PORT_9901_TCP_ADDR", "WEIR_GATEWAY_SERVICE_HOST", "WEIR_GATEWAY_SERVICE_PORT",
        "WEIR_GATEWAY_SERVICE_PORT_HTTP", "WEIR_GATEWAY_PORT", "WEIR_GATEWAY_PORT_80_TCP",
        "WEIR_MY_GATEWAY_PORT_80_TCP_ADDR", "WEIR_LISTEN_SERVICE_HOST", "WEIR_SERVICE_SERVICE_HOST",
    ])
    func `is ignored`(name: String) throws {
        #expect(ServiceLink.matches(name))
        #expect(try Settings(environment: [name: "tcp://10.0.0.1:80"]) == Settings())
    }

    @Test(arguments: [
        "WEIR_SERVICE", "WEIR_SERVICE_HOSTS", "WEIR_SERVICE_HOST_HTTP", "WEIR_PORTS", "WEIR_PORT_80", "WEIR_PORT_X_TCP",
        "WEIR_PORT_80_HTTP", "WEIR_PORT_80_TCP_HOST", "WEIR_PORT__TCP", "WEIR_HOST", "WEIR_80_TCP",
        "OTHER_SERVICE_HOST",
    ])
    func `is not mistaken for one`(name: String) {
        #expect(!ServiceLink.matches(name))
    }

    @Test func `no setting is named so`() {
        for setting in Settings.table {
            #expect(!ServiceLink.matches(setting.name), "\(setting.name)")
        }
    }
}
