// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirEventLoop
import WeirHTTP

@Suite("ClientAddress") struct ClientAddressTests {
    /// The client of a request with these lines from this peer.
    private func client(_ peer: SocketAddress, _ lines: [String], trusted: String = "private,unix") throws -> String {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { "\($0)\r\n" }.joined() + "\r\n"
        let bytes = Array(head.utf8)
        var parser = RequestParser()
        let outcome = parser.parse(bytes.span)
        #expect(outcome == .complete)
        let networks = trusted.isEmpty ? TrustedNetworks() : try #require(TrustedNetworks(trusted))
        let address = ClientAddress.resolve(peer: peer, request: parser, bytes: bytes.span, trusted: networks)
        return address.description
    }

    private static let proxy = SocketAddress.ipv4(0x0A00_0001, port: 4000)

    static let chains: [(lines: [String], client: String)] = [
        ([], "10.0.0.1:4000"),
        (["X-Forwarded-For: 198.51.100.7"], "198.51.100.7:0"),
        (["X-Forwarded-For: 198.51.100.7:555"], "198.51.100.7:555"),
        (["X-Forwarded-For: [2001:db8::1]:555"], "[2001:db8::1]:555"),
        (["X-Forwarded-For: 2001:db8::1"], "[2001:db8::1]:0"),
        (["X-Forwarded-For: ::ffff:198.51.100.7"], "198.51.100.7:0"),
        // Behind the first address that is not trusted anything may be made up.
        (["X-Forwarded-For: 1.1.1.1, 198.51.100.7"], "198.51.100.7:0"),
        (["X-Forwarded-For: 10.9.9.9, 198.51.100.7, 10.0.0.2, 192.168.1.1"], "198.51.100.7:0"),
        (["X-Forwarded-For: junk, 198.51.100.7, ::1"], "198.51.100.7:0"),
        // All are trusted: the farthest.
        (["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3:0"),
        // Nothing to the left of what is no address counts.
        (["X-Forwarded-For: 198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2:0"),
        (["X-Forwarded-For: 198.51.100.7, 999.1.1.1, 10.0.0.2"], "10.0.0.2:0"),
        (["X-Forwarded-For: 198.51.100.7, _hidden"], "10.0.0.1:4000"),
        (["X-Forwarded-For: \"1.1.1.1, 198.51.100.7"], "198.51.100.7:0"),
        (["X-Forwarded-For:"], "10.0.0.1:4000"), (["X-Forwarded-For: ,"], "10.0.0.1:4000"),
        // Several lines are one list.
        (["X-Forwarded-For: 1.1.1.1", "A: b", "x-forwarded-for: 198.51.100.7"], "198.51.100.7:0"),
        (["X-Forwarded-For: 1.1.1.1, 198.51.100.7", "X-Forwarded-For: 10.0.0.2"], "198.51.100.7:0"),
        (["X-Forwarded-For: 198.51.100.7", "X-Forwarded-For:", "X-Forwarded-For: 10.0.0.2"], "198.51.100.7:0"),
        (["X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: junk", "X-Forwarded-For: 10.0.0.2"], "10.0.0.2:0"),

        (["Forwarded: for=198.51.100.7;proto=https"], "198.51.100.7:0"),
        (["Forwarded: for=1.1.1.1, for=\"[2001:db8::1]:555\", for=10.0.0.2"], "[2001:db8::1]:555"),
        (["Forwarded: for=1.1.1.1", "Forwarded: for=198.51.100.7, for=10.0.0.2"], "198.51.100.7:0"),
        (["Forwarded: for=198.51.100.7, proto=http"], "10.0.0.1:4000"),
        (["Forwarded: for=198.51.100.7, for=_hidden, for=10.0.0.2"], "10.0.0.2:0"),
        (["Forwarded: for=198.51.100.7", "Forwarded: for=\"x, for=10.0.0.2"], "10.0.0.2:0"),
        (["Forwarded: for=\"x, for=198.51.100.7"], "198.51.100.7:0"),
        // X-Forwarded-For is the one that counts, even if it names nobody.
        (["Forwarded: for=1.1.1.1", "X-Forwarded-For: 198.51.100.7"], "198.51.100.7:0"),
        (["X-Forwarded-For: unknown", "Forwarded: for=1.1.1.1"], "10.0.0.1:4000"),
    ]

    @Test("Behind trusted proxies the client is the last address that is not trusted", arguments: chains)
    func chain(lines: [String], expected: String) throws {
        #expect(try client(Self.proxy, lines) == expected)
        #expect(try client(.unix(path: ""), lines) == (expected == "10.0.0.1:4000" ? "unix:" : expected))
    }

    @Test("Who is not trusted is the client, whatever it says", arguments: chains)
    func untrusted(lines: [String], expected: String) throws {
        let stranger = SocketAddress.ipv4(0xCB00_7107, port: 9)
        #expect(try client(stranger, lines) == "203.0.113.7:9")
        #expect(try client(Self.proxy, lines, trusted: "") == "10.0.0.1:4000")
        #expect(try client(.unix(path: ""), lines, trusted: "private") == "unix:")
    }

    @Test("At most 32 hops are looked at, in one line and in many", arguments: [", ", "\r\nX-Forwarded-For: "])
    func hops(separator: String) throws {
        let trusted = (0...ClientAddress.hopsMax).map { "10.1.0.\($0)" }
        func line(_ hops: some Sequence<String>) -> [String] {
            ["X-Forwarded-For: " + hops.joined(separator: separator)]
        }
        #expect(try client(Self.proxy, line(["198.51.100.7"] + trusted.suffix(31))) == "198.51.100.7:0")
        #expect(try client(Self.proxy, line(["198.51.100.7"] + trusted.suffix(32))) == "10.1.0.1:0")
        #expect(try client(Self.proxy, line(["198.51.100.7"] + trusted)) == "10.1.0.1:0")
    }
}
