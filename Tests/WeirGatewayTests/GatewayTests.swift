// SPDX-License-Identifier: Apache-2.0
// The gateway and the demo as apps.

import Logging
import Testing
import Weir
import WeirGateway

@Suite(.timeLimit(.minutes(2))) struct GatewayTests {
    @Test func `the gateway is valid with endpoints`() throws {
        var settings = Settings()
        settings.upstream.endpoints = ["http://127.0.0.1:3000"]
        try Gateway.app(.withoutFile(settings)).validate()
    }

    @Test func `the demo answers in process, and has no files that nobody gave it`() async throws {
        var settings = Settings()
        settings.loops = .exactly(1)
        try await Demo.app(settings).test { client async throws in
            #expect(try await client.get("/hello").text == "Hello, world\n")
            #expect(try await client.get("/users/7/orders/42").text == "user 7, order 42\n")
            #expect(try await client.get("/files/etc/passwd").status == 404)
        }
    }

    @Test func `the demo behind a gateway names its port, and ends when it is told`() async throws {
        var settings = Settings()
        settings.logLevel = .critical
        let demo = try await Demo.start(behind: settings, log: .standardError)
        #expect(demo.endpoint.hasPrefix("http://127.0.0.1:"))
        #expect(!demo.endpoint.hasSuffix(":0"))
        try await demo.stop()
    }
}
