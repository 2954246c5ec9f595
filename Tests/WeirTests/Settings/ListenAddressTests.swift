// SPDX-License-Identifier: Apache-2.0
// The forms of a listen address.

import Testing
import Weir

@Suite struct ListenAddressTests {
    static let own: ListenAddress.TLSOptions = {
        var own = ListenAddress.TLSOptions()
        own.certificates = ["/a"]
        own.keys = ["/b"]
        own.lowest = .tls13
        own.clients = .off
        return own
    }()

    static let pathOf107Bytes = "/" + String(repeating: "s", count: 106)

    @Test(arguments: [
        (":8080", ListenAddress.tcp(host: nil, port: 8080)),
        (":0", .tcp(host: nil, port: 0)),
        ("127.0.0.1:8080", .tcp(host: "127.0.0.1", port: 8080)),
        ("localhost:80", .tcp(host: "localhost", port: 80)),
        ("[::1]:8080", .tcp(host: "::1", port: 8080)),
        ("[::]:65535", .tcp(host: "::", port: 65535)),
        ("unix:/run/weir.sock", .unix(path: "/run/weir.sock", mode: nil)),
        ("unix:/run/weir.sock;mode=0660", .unix(path: "/run/weir.sock", mode: 0o660)),
        ("unix:/run/weir.sock;mode=00", .unix(path: "/run/weir.sock", mode: 0)),
        ("unix:\(pathOf107Bytes)", .unix(path: pathOf107Bytes, mode: nil)),
        ("tls://:8443", .tls(host: nil, port: 8443)),
        ("tls://127.0.0.1:0", .tls(host: "127.0.0.1", port: 0)),
        ("tls://[::1]:443", .tls(host: "::1", port: 443)),
        ("tls://:443;cert=/a;key=/b;min=1.3;client=off", .tls(host: nil, port: 443, own: own)),
    ])
    func `a form reads as its address and is written back`(text: String, address: ListenAddress) {
        #expect(ListenAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", "8080", "::1:8080", "[::1]", "[::1]8080", "[127.0.0.1]:80", "example.com:80", "1.2.3:80", ":65536",
        ":-1", ": 80", "[::1%lo]:80", "unix:", "unix:run.sock", "unix:/run/s;mode=", "unix:/run/s;mode=0888",
        "unix:/run/s;mode=1777", "unix:/run/s;mode=+660", "unix:/run/s;owner=me", "unix:/run/s;mode=0660;mode=0660",
        "unix:\(pathOf107Bytes)s", "127.0.0.1\0:80", "unix:/run\0/s", "http://127.0.0.1:80", ":８０",
        "tls://", "tls:// :80", "tls://unix:/run/s", "tls://tls://:80", "tls:8443", "https://:8443",
        "tls://:1;", "tls://:1;cert", "tls://:1;cert=", "tls://:1;min=1.1", "tls://:1;min=1.3;min=1.3",
        "tls://:1;mode=0660",
    ])
    func `anything else is refused`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func `a list is separated by commas`() throws {
        let settings = try Settings(environment: ["WEIR_LISTEN": ":8080, [::1]:81,unix:/run/w;mode=0600"])
        #expect(
            settings.listen == [
                .tcp(host: nil, port: 8080), .tcp(host: "::1", port: 81), .unix(path: "/run/w", mode: 0o600),
            ]
        )
    }

    @Test func `a list has at most 16 addresses`() {
        let sixteen = (1...16).map { ":\($0)" }.joined(separator: ",")
        #expect(throws: Never.self) { try Settings(environment: ["WEIR_LISTEN": sixteen]) }
        #expect(throws: SettingsError.self) { try Settings(environment: ["WEIR_LISTEN": sixteen + ",:17"]) }
    }
}
