// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", 80, "127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", 0, "0.0.0.0", "0.0.0.0:0"),
        ("255.1.2.3", 65535, "255.1.2.3", "255.1.2.3:65535"), ("::1", 8080, "::1", "[::1]:8080"),
        ("::", 1, "::", "[::]:1"), ("2001:DB8:0:0::0007", 443, "2001:db8::7", "[2001:db8::7]:443"),
        ("fe80::1:2:3:4", 9, "fe80::1:2:3:4", "[fe80::1:2:3:4]:9"),
    ])
    func `numeric text becomes an address and back`(text: String, port: Int, host: String, description: String) throws {
        let address = try #require(SocketAddress(host: text, port: UInt16(port)))
        #expect(address.host == host)
        #expect(address.description == description)
        #expect(address.port == UInt16(port))
        #expect(address.family == (text.contains(":") ? AF_INET6 : AF_INET))
        #expect(SocketAddress(host: host, port: UInt16(port)) == address)
    }

    @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.256", ":::", "[::1]", "1.2.3.4:80", "g::1"])
    func `other text is no address`(text: String) {
        #expect(SocketAddress(host: text, port: 1) == nil)
    }

    @Test func `a Unix address has a path and no port`() {
        let address = SocketAddress.unix(path: "/run/weir.sock")
        #expect(address.port == nil)
        #expect(address.family == AF_UNIX)
        #expect(address.description == "unix:/run/weir.sock")
    }
}
