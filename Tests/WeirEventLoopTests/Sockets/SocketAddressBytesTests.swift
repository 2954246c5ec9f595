// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct SocketAddressBytesTests {
    private func numeric(_ text: String, _ port: UInt16) -> SocketAddress? {
        SocketAddress(numeric: Array(text.utf8).span, port: port)
    }

    @Test(arguments: [
        "0.0.0.0", "9.10.99.100", "255.255.255.255", "::", "::1", "2001:db8::7", "fe80::1:2:3:4",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1.2.3.4",
    ])
    func `bytes become the address that the text becomes, and back`(text: String) throws {
        let address = try #require(numeric(text, 7))
        #expect(address == SocketAddress(host: text, port: 7))
        let written = address.numericText
        let bytes = (0..<written.count).map { written.span[$0] }
        #expect(String(decoding: bytes, as: UTF8.self) == address.host)
        let spanCount = written.span.count
        #expect(spanCount == written.count)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\0", "::1\0", "\0", "[::1]", "::1%lo",
        "1.2.3.4:80", ":::", "1::2::3", "12345::", "localhost", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
        "0000000000000000000000000000000000000000000001",
    ])
    func `other bytes are no address`(text: String) {
        #expect(numeric(text, 1) == nil)
    }

    @Test func `the longest address is read`() {
        let text = "0000:0000:0000:0000:0000:ffff:255.255.255.255"
        #expect(text.utf8.count == SocketAddress.numericBytesMax)
        #expect(numeric(text, 2) == .ipv4(0xFFFF_FFFF, port: 2))
    }

    @Test func `mapped IPv6 is IPv4, other addresses stay`() {
        #expect(SocketAddress.ipv6(0, 0xFFFF_0102_0304, port: 5).unmapped == .ipv4(0x0102_0304, port: 5))
        for address in [SocketAddress.ipv6(0, 0xFFFE_0102_0304, port: 5), .ipv6(1, 0xFFFF_0102_0304, port: 5)] {
            #expect(address.unmapped == address)
        }
        #expect(SocketAddress.ipv4(1, port: 5).unmapped == .ipv4(1, port: 5))
        #expect(SocketAddress.unix(path: "/a").unmapped == .unix(path: "/a"))
    }

    @Test func `a port can be changed where there is one`() {
        #expect(SocketAddress.ipv4(1, port: 5).withPort(6) == .ipv4(1, port: 6))
        #expect(SocketAddress.ipv6(1, 2, port: 5).withPort(6) == .ipv6(1, 2, port: 6))
        #expect(SocketAddress.unix(path: "/a").withPort(6) == .unix(path: "/a"))
        #expect(SocketAddress.unix(path: "/a").numericText.count == 0)
    }
}
