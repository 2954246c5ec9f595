// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirDNS
import WeirEventLoop
import WeirTestSupport

@Suite struct DNSResolverTests {
    private func address(_ text: String, port: UInt16 = 80) throws -> SocketAddress {
        try #require(SocketAddress(host: text, port: port))
    }

    @Test func `a name has its addresses of both families, in numeric order, for the shortest time of all`() throws {
        let test = try DNSInHand()
        test.server.set("orders.test", .ipv4("10.0.0.2", 40), .ipv4("10.0.0.1", 30), .ipv6("fd00::1", 20))
        let found = try #require(try test.addresses("orders.test", port: 8080)?.get())
        #expect(found.list == (try ["10.0.0.1", "10.0.0.2", "fd00::1"].map { try address($0, port: 8080) }))
        #expect(found.timeToLive == 20)
    }

    @Test(
        arguments: [(DNSOptions.Families.ipv4, "10.0.0.1", 1), (.ipv6, "fd00::1", 28)]
            as [(DNSOptions.Families, String, UInt16)]
    )
    func `only the families that are wanted are asked for`(
        _ families: DNSOptions.Families,
        _ text: String,
        _ type: UInt16
    ) throws {
        let test = try DNSInHand { options, _ in options.families = families }
        test.server.set("orders.test", .ipv4("10.0.0.1"), .ipv6("fd00::1"))
        #expect(try test.addresses("orders.test")?.get().list == [try address(text)])
        #expect(test.server.asked.map(\.question.type.rawValue) == [type])
    }

    @Test func `an alias is followed, and its time counts`() throws {
        let test = try DNSInHand()
        test.server.set("orders.test", .alias("other.test", 5), .ipv4("10.0.0.1", 50))
        let found = try #require(try test.addresses("orders.test")?.get())
        #expect(found.list == [try address("10.0.0.1")])
        #expect(found.timeToLive == 5)
    }

    @Test func `what does not fit a datagram comes by TCP`() throws {
        let test = try DNSInHand { options, _ in options.families = .ipv4 }
        let answer = TestNameServer.Answer.truncated((1...200).map { .ipv4("10.0.0.\($0)") })
        test.server.set("orders.test", answer)
        #expect(try test.addresses("orders.test")?.get().list.count == 200)
        #expect(test.server.asked.map(\.isTCP) == [false, true])
    }

    @Test func `names are completed by search domains as resolv dot conf says`() throws {
        let folder = try ScratchFolder()
        let path = try folder.write(
            "resolv.conf",
            Array("search shop.svc.test svc.test\noptions ndots:5\n".utf8)
        )
        let test = try DNSInHand { options, _ in
            options.resolverFile = path
            options.families = .ipv4
        }
        test.server.set("orders.svc.test", .ipv4("10.0.0.1"))
        test.server.set("_http._tcp.orders.svc.test", .service("a.test", port: 81))
        #expect(try test.addresses("orders")?.get().list == [try address("10.0.0.1")])
        #expect(test.server.asked.map(\.question.name) == ["orders.shop.svc.test", "orders.svc.test"])
        #expect(try test.services("_http._tcp.orders")?.get().records.map(\.target) == ["a.test"])
        // With a final dot the name is whole.
        #expect(test.addresses("orders.") == .failure(.notFound(name: "orders.")))
        #expect(test.server.asked.last?.question.name == "orders")
    }

    @Test func `a no is told from a failure`() throws {
        let test = try DNSInHand()
        test.server.set("empty.test", .service("a.test", port: 1))
        test.server.set("broken.test", .serverFailure)
        #expect(test.addresses("nobody.test") == .failure(.notFound(name: "nobody.test")))
        #expect(test.addresses("empty.test") == .failure(.noRecord(name: "empty.test")))
        #expect(test.services("nobody.test") == .failure(.notFound(name: "nobody.test")))
        #expect(test.addresses("broken.test") == .failure(.noServer(name: "broken.test")))
    }

    @Test func `a server that says nothing is given up, after each attempt`() throws {
        let test = try DNSInHand { options, _ in
            options.timeout = 5_000_000
            options.attempts = 2
            options.families = .ipv4
        }
        test.server.set("orders.test", .silence)
        #expect(test.addresses("orders.test") == .failure(.noServer(name: "orders.test")))
        #expect(test.server.count("orders.test") == 2)
        // And one that is back is asked at once.
        test.server.set("orders.test", .ipv4("10.0.0.1"))
        #expect(try test.addresses("orders.test")?.get().list == [try address("10.0.0.1")])
    }

    @Test func `the next server is asked where one is silent`() throws {
        let test = try DNSInHand(servers: 2) { options, _ in options.timeout = 5_000_000 }
        test.servers[0].set("orders.test", .silence)
        test.servers[1].set("orders.test", .ipv4("10.0.0.1"))
        #expect(try test.addresses("orders.test")?.get().list == [try address("10.0.0.1")])
    }

    @Test func `after a failure the system's settings are read again`() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("resolv.conf", Array("search one.test\n".utf8))
        let test = try DNSInHand { options, _ in options.resolverFile = path }
        test.server.set("orders.two.test", .ipv4("10.0.0.1"))
        test.server.set("orders.one.test", .notFound)
        test.server.set("orders", .notFound)
        #expect(test.addresses("orders") == .failure(.notFound(name: "orders")))
        _ = try folder.write("resolv.conf", Array("search two.test\n".utf8))
        #expect(test.addresses("orders") == .failure(.notFound(name: "orders")))
        test.server.set("orders.one.test", .serverFailure)
        #expect(test.addresses("orders")?.failure?.isNegative == false)
        #expect(try test.addresses("orders")?.get().list == [try address("10.0.0.1")])
    }

    @Test func `many names are looked up at once`() throws {
        let test = try DNSInHand { options, _ in options.families = .ipv4 }
        var found: [String: [SocketAddress]] = [:]
        for number in 0..<200 {
            let name = "n\(number).test"
            test.server.set(name, .ipv4("10.0.1.\(number)"))
            test.resolver.addresses(of: name, port: 80) { found[name] = (try? $0.get())?.list }
        }
        test.turn(until: "all answers come") { found.count == 200 }
        #expect(try (0..<200).allSatisfy { found["n\($0).test"] == [try address("10.0.1.\($0)")] })
    }

    @Test func `nobody is answered behind the end, which may come within an answer`() throws {
        let test = try DNSInHand()
        test.server.set("a.test", .ipv4("10.0.0.1"))
        test.server.set("b.test", .ipv4("10.0.0.2"))
        test.server.set("silent.test", .silence)
        var answers = 0
        for name in ["a.test", "b.test", "silent.test"] {
            test.resolver.addresses(of: name, port: 80) { _ in
                answers += 1
                test.resolver.stop()
            }
        }
        test.turn(until: "an answer comes") { answers > 0 }
        test.turn(5)
        #expect(answers == 1)
        test.resolver.addresses(of: "a.test", port: 80) { _ in answers += 1 }
        test.turn(5)
        #expect(answers == 1)
    }

    @Test(
        arguments: [
            ("10.0.0.10", ["10.0.0.10:53"]),
            (
                "10.0.0.10:5353, ::1,[fd00::10],[fd00::10]:54",
                ["10.0.0.10:5353", "[::1]:53", "[fd00::10]:53", "[fd00::10]:54"]
            ),
            ("", nil), ("dns", nil), ("10.0.0.10:", nil), ("10.0.0.10:0", nil), ("10.0.0.10:+1", nil),
            ("[10.0.0.1]:53", nil),
            ("10.0.0.10,", nil), ("[::1", nil), ("[::1]53", nil), ("10.0.0.10:65536", nil),
            ("1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1", nil),
        ] as [(String, [String]?)]
    )
    func `servers are numeric addresses with or without a port`(_ text: String, _ expected: [String]?) {
        #expect((try? DNSOptions.servers(text))?.map(\.description) == expected)
    }
}

extension Result {
    fileprivate var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
