// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct AddressBlockTests {
    /// The first and last address of a block, and those beside them, as Python's `ipaddress` has them.
    static let borders: [(block: String, inside: [String], outside: [String])] = [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
        ("172.16.0.0/12", ["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
        ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.0"]),
        ("192.168.1.6/31", ["192.168.1.6", "192.168.1.7"], ["192.168.1.5", "192.168.1.8"]),
        ("192.168.1.7/32", ["192.168.1.7"], ["192.168.1.6", "192.168.1.8"]),
        ("192.168.1.7", ["192.168.1.7"], ["192.168.1.6", "192.168.1.8", "::c0a8:107"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
        ("128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255"]),
        ("::1", ["::1"], ["::", "::2", "127.0.0.1"]),
        ("::/0", ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["0.0.0.0", "10.0.0.1"]),
        (
            "fd00::/8", ["fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
            ["fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"]
        ),
        (
            "2001:db8:0:4::/63", ["2001:db8:0:4::", "2001:db8:0:5:ffff:ffff:ffff:ffff"],
            ["2001:db8:0:3:ffff:ffff:ffff:ffff", "2001:db8:0:6::"]
        ),
        (
            "2001:db8:0:4::/64", ["2001:db8:0:4::", "2001:db8:0:4:ffff:ffff:ffff:ffff"],
            ["2001:db8:0:3:ffff:ffff:ffff:ffff", "2001:db8:0:5::"]
        ),
        (
            "2001:db8::8000:0:0:0/65", ["2001:db8::8000:0:0:0", "2001:db8::ffff:ffff:ffff:ffff"],
            ["2001:db8::7fff:ffff:ffff:ffff", "2001:db8:0:1::"]
        ),
        ("2001:db8::fe/127", ["2001:db8::fe", "2001:db8::ff"], ["2001:db8::fd", "2001:db8::100"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
        ("::ffff:0:0/96", ["0.0.0.0", "255.255.255.255"], ["::", "::1:0:0:0"]),
        ("::ffff:10.1.2.3", ["10.1.2.3"], ["10.1.2.2", "10.1.2.4"]),
    ]

    @Test(arguments: borders)
    func `a block has the addresses between its borders`(block: String, inside: [String], outside: [String]) throws {
        let read = try #require(AddressBlock(block))
        for text in inside {
            let address = try #require(SocketAddress(host: text, port: 7))
            #expect(read.contains(address), "\(text)")
        }
        for text in outside {
            let address = try #require(SocketAddress(host: text, port: 7))
            #expect(!read.contains(address), "\(text)")
        }
        #expect(!read.contains(.unix(path: "")))
        #expect(AddressBlock(read.description) == read)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("192.168.1.7/32", "192.168.1.7"), ("FD00::0/8", "fd00::/8"), ("::1/128", "::1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"),
    ])
    func `a block has one text`(text: String, description: String) {
        #expect(AddressBlock(text)?.description == description)
    }

    @Test func `a mapped peer is the IPv4 address that it maps`() throws {
        let block = try #require(AddressBlock("10.0.0.0/8"))
        #expect(block.contains(.ipv6(0, 0xFFFF_0A01_0203, port: 1)))
        #expect(!block.contains(.ipv6(0, 0xFFFF_0B01_0203, port: 1)))
        #expect(!block.contains(.ipv6(0, 0x0A01_0203, port: 1)))
    }

    static let faults: [(text: String, error: AddressBlockError)] = [
        ("", .noAddress(text: "")), ("/8", .noAddress(text: "/8")), ("ten", .noAddress(text: "ten")),
        ("10.0.0/8", .noAddress(text: "10.0.0/8")), ("010.0.0.0/8", .noAddress(text: "010.0.0.0/8")),
        ("[::1]", .noAddress(text: "[::1]")), ("fe80::1%eth0", .noAddress(text: "fe80::1%eth0")),
        ("10.0.0.1:80", .noAddress(text: "10.0.0.1:80")), ("10.0.0.1\0", .noAddress(text: "10.0.0.1\0")),
        (" 10.0.0.1", .noAddress(text: " 10.0.0.1")), ("unix:/a", .noAddress(text: "unix:/a")),
        ("10.0.0.0/", .badPrefix(text: "10.0.0.0/", bitsMax: 32)),
        ("10.0.0.0/33", .badPrefix(text: "10.0.0.0/33", bitsMax: 32)),
        ("10.0.0.0/08", .badPrefix(text: "10.0.0.0/08", bitsMax: 32)),
        ("10.0.0.0/+8", .badPrefix(text: "10.0.0.0/+8", bitsMax: 32)),
        ("10.0.0.0/8/8", .badPrefix(text: "10.0.0.0/8/8", bitsMax: 32)),
        ("10.0.0.0/255.0.0.0", .badPrefix(text: "10.0.0.0/255.0.0.0", bitsMax: 32)),
        ("::/129", .badPrefix(text: "::/129", bitsMax: 128)),
        ("::/99999999999999999999", .badPrefix(text: "::/99999999999999999999", bitsMax: 128)),
        ("10.0.0.5/8", .hostBits(text: "10.0.0.5/8", block: "10.0.0.0/8")),
        ("0.0.0.1/0", .hostBits(text: "0.0.0.1/0", block: "0.0.0.0/0")),
        ("fd00::1/64", .hostBits(text: "fd00::1/64", block: "fd00::/64")),
        ("1::1:0:0:0:0/63", .hostBits(text: "1::1:0:0:0:0/63", block: "1::/63")),
        ("::ffff:10.0.0.1/104", .hostBits(text: "::ffff:10.0.0.1/104", block: "10.0.0.0/8")),
        ("::ffff:10.0.0.0/90", .hostBits(text: "::ffff:10.0.0.0/90", block: nil)),
    ]

    @Test(arguments: faults)
    func `what is no block is refused with its reason`(text: String, error: AddressBlockError) {
        #expect(AddressBlock(text) == nil)
        #expect(throws: error) { _ = try AddressBlock(parsing: text) }
    }

    @Test func `the reason says what would be right`() {
        #expect(
            AddressBlockError.hostBits(text: "10.0.0.5/8", block: "10.0.0.0/8").description
                == "\"10.0.0.5/8\" has bits set behind its prefix; write 10.0.0.0/8 for the block, or leave the prefix "
                + "out for the one address"
        )
    }
}
