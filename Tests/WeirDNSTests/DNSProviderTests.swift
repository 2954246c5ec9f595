// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirDNS
import WeirEventLoop
import WeirUpstream

@Suite struct DNSProviderTests {
    @Test func `addresses change when the time of the last answer is over, and not before`() throws {
        let test = try DNSInHand()
        test.server.set("orders.test", .ipv4("10.0.0.1", 20))
        test.start(.addresses(name: "orders.test", port: 8080, weight: 3))
        test.turn(until: "the name is resolved") { !test.listed.isEmpty }
        #expect(test.listed == ["http://10.0.0.1:8080;weight=3"])
        #expect(test.feed?.endpoints.first?.authority == "orders.test:8080")
        test.server.set("orders.test", .ipv4("10.0.0.2", 20))
        test.clock.advance(by: 19_000_000_000)
        test.turn(5)
        #expect(test.server.count("orders.test") == 2)
        test.refresh(after: .seconds(1))
        #expect(test.listed == ["http://10.0.0.2:8080;weight=3"])
    }

    @Test func `a name that is gone keeps what it had, and is asked for again with back-off`() throws {
        let test = try DNSInHand()
        test.server.set("orders.test", .ipv4("10.0.0.1", 1))
        test.start(.addresses(name: "orders.test", port: 80))
        test.turn(until: "the name is resolved") { !test.listed.isEmpty }
        test.server.set("orders.test", .notFound)
        test.refresh(after: .seconds(1))
        #expect(test.listed == ["http://10.0.0.1"])
        #expect(
            test.failure
                == "upstream orders: discovery by dns failed: orders.test: the name does not exist; 1 are kept"
        )
        // From half to the whole of 1, 2 and 4 s.
        for seconds in [1, 2, 4] {
            let before = test.updateCount
            test.clock.advance(by: UInt64(seconds) * 500_000_000 - 20_000_000)
            test.turn(10)
            #expect(test.updateCount == before)
            test.refresh(after: .seconds(seconds))
        }
        test.server.set("orders.test", .ipv4("10.0.0.1"))
        test.refresh(after: .seconds(30))
        #expect(test.news.last == .recovered("upstream orders: discovery by dns lists 1 endpoint again"))
    }

    @Test func `a server that is away takes nothing away, and is found again`() throws {
        let test = try DNSInHand { options, _ in
            options.timeout = 5_000_000
            options.attempts = 1
        }
        test.server.set("orders.test", .ipv4("10.0.0.1", 1))
        test.start(.addresses(name: "orders.test", port: 80))
        test.turn(until: "the name is resolved") { !test.listed.isEmpty }
        test.server.set("orders.test", .silence)
        test.refresh(after: .seconds(1))
        #expect(test.failure?.contains("orders.test: no name server has an answer; 1 are kept") == true)
        test.server.set("orders.test", .ipv4("10.0.0.9"))
        test.refresh(after: .seconds(1))
        #expect(test.listed == ["http://10.0.0.9"])
    }

    @Test func `services bring their ports and weights, which may change`() throws {
        let test = try DNSInHand()
        test.server.set(
            "_http._tcp.orders.test",
            .service("b.test", port: 81, weight: 1, 9),
            .service("a.test", port: 82, weight: 9, 9)
        )
        test.server.set("a.test", .ipv4("10.0.0.1"), .ipv6("fd00::1"))
        test.server.set("b.test", .ipv4("10.0.0.2"))
        test.start(.services(name: "_http._tcp.orders.test"))
        test.turn(until: "the services are resolved") { !test.listed.isEmpty }
        #expect(test.listed == ["http://10.0.0.1:82;weight=9", "http://[fd00::1]:82;weight=9", "http://10.0.0.2:81"])
        #expect(test.feed?.endpoints.map(\.authority) == ["a.test:82", "a.test:82", "b.test:81"])
        test.server.set(
            "_http._tcp.orders.test",
            .service("b.test", port: 81, weight: 5),
            .service("a.test", port: 82, weight: 5)
        )
        test.refresh(after: .seconds(9))
        #expect(test.listed.map { $0.hasSuffix(";weight=5") } == [true, true, true])
    }

    @Test func `another priority is used only where the better has no address`() throws {
        let test = try DNSInHand()
        test.server.set(
            "_http._tcp.orders.test",
            .service("a.test", port: 81, priority: 1),
            .service("b.test", port: 82, priority: 2)
        )
        test.server.set("a.test", .ipv4("10.0.0.1", 2))
        test.server.set("b.test", .ipv4("10.0.0.2", 2))
        test.start(.services(name: "_http._tcp.orders.test"))
        test.turn(until: "the services are resolved") { !test.listed.isEmpty }
        #expect(test.listed == ["http://10.0.0.1:81"])
        #expect(test.server.count("b.test") == 0)
        test.server.set("a.test", .notFound)
        test.refresh(after: .seconds(2))
        #expect(test.listed == ["http://10.0.0.2:82"])
        // Soon, because the better one may be back.
        test.server.set("a.test", .ipv4("10.0.0.1"))
        test.refresh(after: .seconds(1))
        #expect(test.listed == ["http://10.0.0.1:81"])
    }

    @Test func `a target whose lookup fails keeps its addresses, and the others change`() throws {
        let test = try DNSInHand { options, _ in options.attempts = 1 }
        test.server.set("_http._tcp.orders.test", .service("a.test", port: 81, 1), .service("b.test", port: 82, 1))
        test.server.set("a.test", .ipv4("10.0.0.1"))
        test.server.set("b.test", .ipv4("10.0.0.2"))
        test.start(.services(name: "_http._tcp.orders.test"))
        test.turn(until: "the services are resolved") { !test.listed.isEmpty }
        test.server.set("a.test", .serverFailure)
        test.server.set("b.test", .ipv4("10.0.0.3"))
        test.refresh(after: .seconds(1))
        #expect(test.listed == ["http://10.0.0.1:81", "http://10.0.0.3:82"])
        #expect(test.failure?.contains("a.test.: no name server has an answer; 2 are kept") == true)
    }

    @Test func `a service of many targets is resolved, a few at a time`() throws {
        let test = try DNSInHand { options, _ in options.families = .ipv4 }
        let targets = (0..<100).map { DNSRecord.service("n\($0).test", port: 80) }
        test.server.set("_http._tcp.orders.test", .truncated(targets))
        for number in 0..<100 { test.server.set("n\(number).test", .ipv4("10.0.1.\(number)")) }
        test.start(.services(name: "_http._tcp.orders.test"))
        var most = 0
        var before = 0
        test.turn(until: "the services are resolved") {
            most = max(most, test.server.asked.count - before)
            before = test.server.asked.count
            return !test.listed.isEmpty
        }
        #expect(test.listed.count == 100)
        #expect(most <= 16)
    }

    @Test func `a service that says it is not here has no endpoint`() throws {
        let test = try DNSInHand()
        test.server.set("_http._tcp.orders.test", .service(".", port: 0))
        test.start(.services(name: "_http._tcp.orders.test"))
        test.turn(until: "the answer is there") { test.failure != nil }
        #expect(test.failure == "upstream orders: discovery by dns lists no endpoint; none is known yet")
    }

    @Test func `nothing is found behind the end`() throws {
        let test = try DNSInHand()
        test.server.set("orders.test", .ipv4("10.0.0.1", 1))
        test.start(.addresses(name: "orders.test", port: 80))
        test.stopProvider()
        test.turn(10)
        test.clock.advance(by: 60_000_000_000)
        test.turn(10)
        #expect(test.news.isEmpty)
    }
}
