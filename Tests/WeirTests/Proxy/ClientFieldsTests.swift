// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirEventLoop

@Suite struct ClientFieldsTests {
    @Test(arguments: [
        (SocketAddress.ipv4(0xC000_0201, port: 4711), "192.0.2.1", "192.0.2.1"),
        (.ipv6(0x2001_0DB8_0000_0000, 1, port: 4711), "2001:db8::1", "\"[2001:db8::1]\""),
        (.ipv6(0, 1, port: 1), "::1", "\"[::1]\""),
        (
            .ipv6(0x1111_2222_3333_4444, 0x5555_6666_7777_8888, port: 65_535),
            "1111:2222:3333:4444:5555:6666:7777:8888", "\"[1111:2222:3333:4444:5555:6666:7777:8888]\""
        ),
        (.unix(path: "/run/client.sock"), "unknown", "unknown"),
        (.unix(path: ""), "unknown", "unknown"),
    ])
    func `they say who the peer is, without its port`(peer: SocketAddress, address: String, node: String) {
        var fields = ClientFields()
        defer { fields.deallocate() }
        #expect(fields.isEmpty)
        fields.write(peer, isSecure: false)
        #expect(!fields.isEmpty)
        #expect(Self.text(fields.address) == address)
        #expect(Self.text(fields.forwardedFor) == "X-Forwarded-Proto: http\r\nX-Forwarded-For: \(address)")
        #expect(Self.text(fields.forwarded) == "Forwarded: for=\(node);proto=http")
    }

    @Test func `what is written anew takes the old one's place`() {
        var fields = ClientFields()
        defer { fields.deallocate() }
        fields.write(.ipv6(0x1111_2222_3333_4444, 0x5555_6666_7777_8888, port: 1), isSecure: false)
        fields.forget()
        #expect(fields.isEmpty)
        fields.write(.ipv4(0x0A00_0001, port: 2), isSecure: false)
        #expect(Self.text(fields.address) == "10.0.0.1")
        #expect(Self.text(fields.forwarded) == "Forwarded: for=10.0.0.1;proto=http")
    }

    @Test func `over TLS the scheme is https`() {
        var fields = ClientFields()
        defer { fields.deallocate() }
        fields.write(.ipv6(0, 1, port: 2), isSecure: true)
        #expect(Self.text(fields.forwardedFor) == "X-Forwarded-Proto: https\r\nX-Forwarded-For: ::1")
        #expect(Self.text(fields.forwarded) == "Forwarded: for=\"[::1]\";proto=https")
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
}
