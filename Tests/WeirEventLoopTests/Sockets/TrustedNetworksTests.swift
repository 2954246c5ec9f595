// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct TrustedNetworksTests {
    static let lists: [(list: String, inside: [String], outside: [String])] = [
        ("loopback", ["127.0.0.1", "127.255.0.9", "::1"], ["128.0.0.1", "10.0.0.1", "::2"]),
        (
            "private",
            [
                "127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.1.1", "fd12::1", "fc00::1",
                "fe80::1",
            ],
            ["8.8.8.8", "100.64.0.1", "172.32.0.1", "192.169.0.1", "2001:db8::1", "fec0::1"]
        ),
        ("10.0.0.0/8,2001:db8::/32", ["10.9.9.9", "2001:db8:ffff::1"], ["11.0.0.0", "2001:db9::"]),
        (" 10.0.0.1 , LOOPBACK,Unix ", ["10.0.0.1", "127.0.0.1"], ["10.0.0.2"]),
    ]

    @Test(arguments: lists)
    func `a list has the addresses of its elements`(list: String, inside: [String], outside: [String]) throws {
        let trusted = try #require(TrustedNetworks(list))
        for text in inside {
            let address = try #require(SocketAddress(host: text, port: 1))
            #expect(trusted.contains(address), "\(text)")
        }
        for text in outside {
            let address = try #require(SocketAddress(host: text, port: 1))
            #expect(!trusted.contains(address), "\(text)")
        }
        #expect(!trusted.isEmpty)
        #expect(TrustedNetworks(trusted.description) == trusted)
    }

    @Test(arguments: [("unix", true), ("10.0.0.0/8,unix", true), ("private", false), ("0.0.0.0/0,::/0", false)])
    func `only the word unix trusts Unix sockets`(list: String, isTrusted: Bool) throws {
        let trusted = try #require(TrustedNetworks(list))
        #expect(trusted.contains(.unix(path: "")) == isTrusted)
        #expect(trusted.contains(.unix(path: "/run/a.sock")) == isTrusted)
    }

    @Test func `nobody is trusted where nothing is written`() {
        let nobody = TrustedNetworks()
        #expect(nobody.isEmpty)
        #expect(nobody.description == "")
        #expect(!nobody.contains(.unix(path: "")))
        #expect(!nobody.contains(.ipv4(0x7F00_0001, port: 1)))
    }

    @Test(arguments: [
        ("", AddressBlockError.emptyElement(position: 1)), (" ", .emptyElement(position: 1)),
        ("10.0.0.1,", .emptyElement(position: 2)), ("::1,,::2", .emptyElement(position: 2)),
        ("10.0.0.1,public", .noAddress(text: "public")), ("10.0.0.1;10.0.0.2", .noAddress(text: "10.0.0.1;10.0.0.2")),
        ("private,10.0.0.1/8", .hostBits(text: "10.0.0.1/8", block: "10.0.0.0/8")),
    ])
    func `a list with one bad element is refused`(list: String, error: AddressBlockError) {
        #expect(TrustedNetworks(list) == nil)
        #expect(throws: error) { _ = try TrustedNetworks(parsing: list) }
    }

    @Test func `a list has a greatest length`() {
        let blocks = (0..<TrustedNetworks.blocksMax).map { "10.0.\($0).0/24" }
        #expect(TrustedNetworks(blocks.joined(separator: ",")) != nil)
        #expect(TrustedNetworks((blocks + ["unix"]).joined(separator: ",")) != nil)
        let error = AddressBlockError.tooMany(count: 257, countMax: 256)
        #expect(throws: error) {
            _ = try TrustedNetworks(parsing: (blocks + ["::1"]).joined(separator: ","))
        }
    }
}
