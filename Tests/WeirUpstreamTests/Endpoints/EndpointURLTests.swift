// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirUpstream

@Suite("EndpointURL") struct EndpointURLTests {
    static let longestName =
        [String](repeating: String(repeating: "a", count: 63), count: 3).joined(separator: ".")
        + "." + String(repeating: "b", count: 61)

    /// A text, what it says, what Host says, and its one form.
    static let good: [(text: String, place: EndpointURL.Place, weight: Int, authority: String, form: String)] = [
        ("http://10.0.0.1:8080", .address(.ipv4(0x0A00_0001, port: 8080)), 1, "10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://10.0.0.1", .address(.ipv4(0x0A00_0001, port: 80)), 1, "10.0.0.1", "http://10.0.0.1"),
        ("http://10.0.0.1:80;weight=1", .address(.ipv4(0x0A00_0001, port: 80)), 1, "10.0.0.1", "http://10.0.0.1"),
        (
            "HTTP://10.0.0.1:65535;weight=65535", .address(.ipv4(0x0A00_0001, port: 65535)), 65535, "10.0.0.1:65535",
            "http://10.0.0.1:65535;weight=65535"
        ),
        (
            "http://[FD00::0:7]:81;weight=3", .address(.ipv6(0xFD00_0000_0000_0000, 7, port: 81)), 3, "[fd00::7]:81",
            "http://[fd00::7]:81;weight=3"
        ),
        ("http://[::1]", .address(.ipv6(0, 1, port: 80)), 1, "[::1]", "http://[::1]"),
        ("http://[::ffff:10.0.0.1]:81", .address(.ipv4(0x0A00_0001, port: 81)), 1, "10.0.0.1:81", "http://10.0.0.1:81"),
        (
            "http://Orders.Shop.svc:8080", .name("orders.shop.svc", port: 8080), 1, "orders.shop.svc:8080",
            "http://orders.shop.svc:8080"
        ),
        ("http://a_b-1.c.", .name("a_b-1.c.", port: 80), 1, "a_b-1.c.", "http://a_b-1.c."),
        ("http://1.2.3.4a", .name("1.2.3.4a", port: 80), 1, "1.2.3.4a", "http://1.2.3.4a"),
        ("http://\(longestName)", .name(longestName, port: 80), 1, longestName, "http://\(longestName)"),
        ("unix:/run/a.sock", .address(.unix(path: "/run/a.sock")), 1, "localhost", "unix:/run/a.sock"),
        (
            "unix:/run/a b?@#:\u{e9};weight=2", .address(.unix(path: "/run/a b?@#:\u{e9}")), 2, "localhost",
            "unix:/run/a b?@#:\u{e9};weight=2"
        ),
    ]

    @Test("An endpoint is read, and has one form", arguments: good)
    func endpoint(
        text: String,
        place: EndpointURL.Place,
        weight: Int,
        authority: String,
        form: String
    ) throws {
        let endpoint = try EndpointURL(parsing: text)
        #expect(endpoint == EndpointURL(place: place, weight: weight))
        #expect(endpoint.scheme == .http)
        #expect(endpoint.authority == authority)
        #expect(endpoint.description == form)
        #expect(try EndpointURL(parsing: form) == endpoint)
    }

    @Test(
        "One that is spoken to by TLS has another port by default, and is another",
        arguments: [
            ("https://a", 443, "a", "https://a"), ("HTTPS://A:443;weight=2", 443, "a", "https://a;weight=2"),
            ("https://a:80", 80, "a:80", "https://a:80"),
            ("https://[::1]:8443", 8443, "[::1]:8443", "https://[::1]:8443"),
        ]
    )
    func secure(text: String, port: UInt16, authority: String, form: String) throws {
        let endpoint = try EndpointURL(parsing: text)
        #expect(endpoint.scheme == .https)
        #expect(endpoint.port == port)
        #expect(endpoint.authority == authority)
        #expect(endpoint.description == form)
        #expect(try EndpointURL(parsing: form) == endpoint)
        #expect(endpoint != EndpointURL(place: endpoint.place, weight: endpoint.weight))
    }

    @Test("A port is there but for Unix sockets")
    func port() throws {
        #expect(try EndpointURL(parsing: "http://a").port == 80)
        #expect(try EndpointURL(parsing: "http://a:9").port == 9)
        #expect(try EndpointURL(parsing: "http://[::1]:10").port == 10)
        #expect(try EndpointURL(parsing: "unix:/a").port == nil)
    }

    static let longPath = "/" + String(repeating: "p", count: 107)

    static let bad: [(text: String, fault: @Sendable (String) -> EndpointURLError)] = [
        ("10.0.0.1:8080", { .missingScheme(url: $0) }), ("", { .missingScheme(url: $0) }),
        (";weight=1", { .missingScheme(url: $0) }), ("http:10.0.0.1", { .missingScheme(url: $0) }),
        ("//a", { .missingScheme(url: $0) }), (" ", { .missingScheme(url: $0) }),
        ("://a", { .unknownScheme(url: $0, scheme: "") }), ("ftp://a", { .unknownScheme(url: $0, scheme: "ftp") }),
        (" http://a", { .unknownScheme(url: $0, scheme: " http") }),
        ("HTTPS://a:443/x", { .hasPath(url: $0, path: "/x") }), ("https:a", { .missingScheme(url: $0) }),
        ("http://user:password@a", { .hasUserInfo(url: $0) }), ("http://@a/", { .hasUserInfo(url: $0) }),
        ("http://a/", { .hasPath(url: $0, path: "/") }), ("http://a:80/b?c", { .hasPath(url: $0, path: "/b?c") }),
        ("http://a?b", { .hasQuery(url: $0) }), ("http://a#b", { .hasFragment(url: $0) }),
        ("http://", { .emptyHost(url: $0) }), ("http://:80", { .emptyHost(url: $0) }),
        ("http:///a", { .hasPath(url: $0, path: "/a") }),
        ("http://10.0.0.256", { .invalidHost(url: $0, host: "10.0.0.256") }),
        ("http://10.0.0", { .invalidHost(url: $0, host: "10.0.0") }),
        ("http://10.0.0.1.", { .invalidHost(url: $0, host: "10.0.0.1.") }),
        ("http://010.0.0.1", { .invalidHost(url: $0, host: "010.0.0.1") }),
        ("http://a..b", { .invalidHost(url: $0, host: "a..b") }), ("http://.", { .invalidHost(url: $0, host: ".") }),
        ("http://-a", { .invalidHost(url: $0, host: "-a") }), ("http://a-.b", { .invalidHost(url: $0, host: "a-.b") }),
        ("http://a b", { .invalidHost(url: $0, host: "a b") }),
        ("http://a%41", { .invalidHost(url: $0, host: "a%41") }),
        ("http://\u{e9}", { .invalidHost(url: $0, host: "\u{e9}") }),
        ("http://a\n", { .invalidHost(url: $0, host: "a\n") }), ("http://a\0", { .invalidHost(url: $0, host: "a\0") }),
        ("http://\(longestName)b", { .invalidHost(url: $0, host: "\(longestName)b") }),
        ("http://::1", { .invalidHost(url: $0, host: "::1") }),
        ("http://[::1", { .invalidHost(url: $0, host: "[::1") }),
        ("http://[10.0.0.1]", { .invalidHost(url: $0, host: "[10.0.0.1]") }),
        ("http://[]", { .invalidHost(url: $0, host: "[]") }),
        ("http://[fe80::1%eth0]", { .invalidHost(url: $0, host: "[fe80::1%eth0]") }),
        ("http://a:80:81", { .invalidHost(url: $0, host: "a:80:81") }),
        ("http://a:", { .invalidPort(url: $0, port: "") }), ("http://a:0", { .invalidPort(url: $0, port: "0") }),
        ("http://a:080", { .invalidPort(url: $0, port: "080") }),
        ("http://a:+1", { .invalidPort(url: $0, port: "+1") }),
        ("http://a:65536", { .invalidPort(url: $0, port: "65536") }),
        ("http://a:99999999999999999999", { .invalidPort(url: $0, port: "99999999999999999999") }),
        ("http://a:http", { .invalidPort(url: $0, port: "http") }),
        ("http://[::1]x", { .invalidPort(url: $0, port: "x") }), ("http://[::1]:", { .invalidPort(url: $0, port: "") }),
        ("unix:", { .invalidPath(url: $0, path: "") }), ("unix:a", { .invalidPath(url: $0, path: "a") }),
        ("unix:/", { .invalidPath(url: $0, path: "/") }), ("unix:/a\0", { .invalidPath(url: $0, path: "/a\0") }),
        ("unix:\(longPath)", { .pathTooLong(url: $0, byteCount: 108, bytesMax: 107) }),
        ("http://a;", { .unknownOption(url: $0, option: "") }),
        ("http://a;heavy", { .unknownOption(url: $0, option: "heavy") }),
        ("http://a;Weight=1", { .unknownOption(url: $0, option: "Weight=1") }),
        ("http://a; weight=1", { .unknownOption(url: $0, option: " weight=1") }),
        ("http://a;weight=1;weight=1", { .repeatedOption(url: $0, option: "weight") }),
        ("http://a;weight=", { .invalidWeight(url: $0, weight: "") }),
        ("http://a;weight=0", { .invalidWeight(url: $0, weight: "0") }),
        ("http://a;weight=-1", { .invalidWeight(url: $0, weight: "-1") }),
        ("http://a;weight=65536", { .invalidWeight(url: $0, weight: "65536") }),
        ("http://a;weight=1.5", { .invalidWeight(url: $0, weight: "1.5") }),
        ("http://a;weight=99999999999999999999", { .invalidWeight(url: $0, weight: "99999999999999999999") }),
    ]

    @Test("What is no endpoint is refused with its reason, in one line", arguments: bad.indices)
    func fault(index: Int) {
        let (text, fault) = Self.bad[index]
        let error = fault(text)
        #expect(throws: error) { _ = try EndpointURL(parsing: text) }
        let line = error.description
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
        #expect(line.hasPrefix("endpoint \""))
    }

    @Test("The reason says what would be right")
    func reasons() {
        #expect(
            EndpointURLError.unknownScheme(url: "ftp://a", scheme: "ftp").description
                == "endpoint \"ftp://a\": scheme \"ftp\" is not known; "
                + "write http://host:port, https://host:port or unix:/path"
        )
        #expect(
            EndpointURLError.invalidHost(url: "http://a\n\u{1b}[2J", host: "\"\\").description
                == "endpoint \"http://a\\u{a}\\u{1b}[2J\": \"\\\"\\\\\" is no host; write a name, 10.0.0.1 or [fd00::1]"
        )
        let long = EndpointURLError.missingScheme(url: String(repeating: "x", count: 100_000)).description
        #expect(long.utf8.count < 300)
    }

    static let secrets = [
        "http://user:secret@a", "https://user:se@cret@a", "ftp://user:se/cret@a", "user:secret@a", "http://secret@a",
        "http://user:secret,more-secret@a", "http://b,http://user:secret@a", "http://a;secret@b", "http://a:secret/@b",
        "http://user:?secret#@a:80;weight=secret@", "secret:secret,secret:secret@a", "unix:/a@b,http://user:secret@a",
    ]

    @Test("A password is not repeated, wherever a comma or a slash cuts it", arguments: secrets)
    func password(text: String) throws {
        let error = #expect(throws: EndpointURLError.self) { try EndpointURL.list(text) }
        let line = try #require(error).description
        #expect(!line.contains("cret"))
        #expect(!text.withoutUserInfo.contains("cret"))
    }

    @Test("What has no password stays as it is", arguments: ["", "http://a:80", "unix:/run/a@b", "a@b", "@", "/a/b@c"])
    func untouched(text: String) {
        #expect(text.withoutUserInfo == text)
    }
}
