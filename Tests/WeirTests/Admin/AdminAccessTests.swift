// SPDX-License-Identifier: Apache-2.0
// Who may change something through the admin port.

import Testing
import Weir
import WeirEventLoop

@Suite struct AdminAccessTests {
    private static let token = "0123456789abcdef"

    @Test(arguments: [
        ("127.0.0.1", true), ("127.0.0.2", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.7", false),
        ("192.168.1.1", false), ("::", false), ("fd00::7", false), ("::ffff:10.0.0.7", false),
    ])
    func `without a token only loopback may`(host: String, may: Bool) throws {
        let peer = try #require(SocketAddress(host: host, port: 4000))
        let access = AdminAccess(token: "")
        #expect(access.permits(peer, authorization: nil) == may)
        // No token is not the empty token.
        #expect(access.permits(peer, authorization: "Bearer ") == may)
        #expect(access.permits(peer, authorization: "Bearer \(Self.token)") == may)
    }

    @Test func `a Unix socket is as good as loopback: its file says who may connect`() {
        #expect(AdminAccess(token: "").permits(.unix(path: ""), authorization: nil))
        #expect(AdminAccess(token: Self.token).permitsDrain(.unix(path: "/run/weir.sock"), authorization: nil))
    }

    @Test(arguments: [SocketAddress.ipv4(0x7F00_0001, port: 1), .unix(path: "/run/weir.sock")])
    func `where a token is set nobody writes without it, and the pod itself drains`(peer: SocketAddress) {
        let access = AdminAccess(token: Self.token)
        #expect(!access.permits(peer, authorization: nil))
        #expect(!access.permits(peer, authorization: "Bearer wrong", consulToken: "wrong"))
        #expect(access.permits(peer, authorization: "Bearer \(Self.token)"))
        #expect(access.permits(peer, authorization: nil, consulToken: Self.token))
        #expect(access.permitsDrain(peer, authorization: nil))
    }

    @Test func `from elsewhere a drain needs the token`() {
        let peer = SocketAddress.ipv4(0x0A00_0007, port: 4000)
        for token in ["", Self.token] { #expect(!AdminAccess(token: token).permitsDrain(peer, authorization: nil)) }
        #expect(AdminAccess(token: Self.token).permitsDrain(peer, authorization: "Bearer \(Self.token)"))
    }

    @Test(arguments: [
        ("Bearer 0123456789abcdef", true), ("bearer 0123456789abcdef", true), ("BEARER 0123456789abcdef", true),
        ("Bearer 0123456789abcdeF", false), ("Bearer 1123456789abcdef", false), ("Bearer 0123456789abcde", false),
        ("Bearer 0123456789abcdef0", false), ("Bearer  0123456789abcdef", false), ("Bearer", false), ("", false),
        ("0123456789abcdef", false), ("Basic 0123456789abcdef", false), ("Bearer\t0123456789abcdef", false),
    ])
    func `from elsewhere the token must be right`(authorization: String, may: Bool) {
        let access = AdminAccess(token: Self.token)
        #expect(access.permits(.ipv4(0x0A00_0007, port: 4000), authorization: authorization) == may)
        #expect(!access.permits(.ipv4(0x0A00_0007, port: 4000), authorization: nil))
    }

    @Test func `Consul's clients send the token in a field of their own`() {
        let access = AdminAccess(token: Self.token)
        let peer = SocketAddress.ipv4(0x0A00_0007, port: 4000)
        #expect(access.permits(peer, authorization: nil, consulToken: Self.token))
        #expect(!access.permits(peer, authorization: nil, consulToken: "wrong"))
        #expect(!access.permits(peer, authorization: nil, consulToken: "Bearer \(Self.token)"))
        #expect(!AdminAccess(token: "").permits(peer, authorization: nil, consulToken: ""))
    }

    @Test(arguments: [
        ("", true), ("localhost", true), ("LocalHost:9901", true), ("127.0.0.1", true), ("127.0.0.1:9901", true),
        ("[::1]", true), ("[::1]:9901", true), ("10.0.0.7:9901", true), ("weir.shop.svc", false), ("weir:9901", false),
        ("rebound.example", false), ("localhost.rebound.example", false), ("127.0.0.1.rebound.example:9901", false),
        ("rebound.example:127", false), ("[::1].rebound.example", false), ("localhost.", false), ("127.1", false),
    ])
    func `a name that may have been made to lead here is not asked by a program`(host: String, isProgram: Bool) {
        let peer = SocketAddress.ipv4(0x7F00_0001, port: 4000)
        #expect(AdminAccess.isProgram(peer, host: host, origin: nil, site: nil) == isProgram)
        #expect(AdminAccess.isProgram(.unix(path: ""), host: host, origin: nil, site: nil))
    }

    @Test(
        arguments: [
            (nil, nil, true), (nil, "none", true), ("http://localhost:9901", nil, false), ("null", nil, false),
            ("", nil, false), (nil, "cross-site", false), (nil, "same-site", false), (nil, "same-origin", false),
            (nil, "", false), ("https://shop.example", "none", false),
        ] as [(String?, String?, Bool)]
    )
    func `what browsers say of a page's request makes it no program's`(origin: String?, site: String?, isProgram: Bool)
    {
        let peer = SocketAddress.ipv4(0x7F00_0001, port: 4000)
        #expect(AdminAccess.isProgram(peer, host: "localhost:9901", origin: origin, site: site) == isProgram)
    }

    @Test(arguments: [SocketAddress.ipv4(0x7F00_0001, port: 1), .ipv4(0x0A00_0007, port: 1)])
    func `a page needs the token wherever it comes from`(peer: SocketAddress) {
        #expect(!AdminAccess(token: "").permits(peer, authorization: nil, isProgram: false))
        #expect(!AdminAccess(token: "").permitsDrain(peer, authorization: nil, isProgram: false))
        let access = AdminAccess(token: Self.token)
        #expect(!access.permitsDrain(peer, authorization: nil, isProgram: false))
        #expect(access.permits(peer, authorization: "Bearer \(Self.token)", isProgram: false))
        #expect(access.permitsDrain(peer, authorization: "Bearer \(Self.token)", isProgram: false))
    }
}
