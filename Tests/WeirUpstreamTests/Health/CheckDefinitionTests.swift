// SPDX-License-Identifier: Apache-2.0
// What may be checked, and what an answer means.

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("A check")
struct CheckDefinitionTests {
    @Test(
        "takes an answer's status as Consul does",
        arguments: [
            (200, .passing), (204, .passing), (299, .passing), (429, .warning), (199, .critical), (300, .critical),
            (302, .critical), (404, .critical), (428, .critical), (430, .critical), (500, .critical),
        ] as [(Int, CheckStatus)]
    )
    func classification(_ status: Int, _ expected: CheckStatus) {
        #expect(CheckStatus(httpStatus: status) == expected)
    }

    @Test("of several is as bad as the worst; of none, passing")
    func worst() {
        #expect([CheckStatus]().worst == .passing)
        #expect([CheckStatus.passing, .critical, .warning].worst == .critical)
        #expect([CheckStatus.passing, .warning].worst == .warning)
    }

    @Test(
        "goes where its URL says",
        arguments: [
            ("http://127.0.0.1:8080/healthz", "127.0.0.1:8080", "/healthz"),
            ("http://127.0.0.1", "127.0.0.1", "/"),
            ("HTTP://Orders.Shop:81?deep=1", "orders.shop:81", "/?deep=1"),
            ("http://[::1]:9/a/b?c#d", "[::1]:9", "/a/b?c"),
        ]
    )
    func url(_ text: String, _ authority: String, _ target: String) throws {
        let url = try CheckURL(parsing: text)
        #expect(url.authority == authority)
        #expect(url.target == target)
        #expect(url.text == text)
    }

    @Test(
        "goes nowhere else",
        arguments: [
            "https://127.0.0.1/", "127.0.0.1:80/x", "ftp://127.0.0.1/", "http://", "http://a b/", "http://127.0.0.1:0/",
            "http://user@127.0.0.1/", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nx", "http://127.0.0.1/ä", "",
            "http://127.0.0.1/" + String(repeating: "x", count: CheckURL.bytesMax),
        ]
    )
    func noURL(_ text: String) {
        #expect(throws: CheckURLError.self) { try CheckURL(parsing: text) }
    }

    @Test("at an endpoint has the endpoint's place and the declared path")
    func declaredPath() throws {
        let endpoint = try EndpointURL(parsing: "http://10.0.0.1:8080;weight=3")
        let url = try CheckURL(path: "/healthz", at: endpoint)
        #expect(url.place == endpoint.place)
        #expect(url.text == "http://10.0.0.1:8080/healthz")
        #expect(throws: CheckURLError.self) { try CheckURL(path: "healthz", at: endpoint) }
        #expect(throws: CheckURLError.self) { try CheckURL(path: "/a\r\nb", at: endpoint) }
    }

    @Test(
        "by TCP names host and port",
        arguments: [("127.0.0.1:80", true), ("[::1]:80", true), ("db:5432", true), ("db", false), ("[::1]", false)]
    )
    func tcp(_ text: String, _ isValid: Bool) {
        #expect(((try? EndpointURL.Place(hostAndPort: text)) != nil) == isValid)
    }

    private static func http(_ change: (inout HTTPCheck) -> Void = { _ in }) -> CheckDefinition.Kind {
        guard let url = try? CheckURL(parsing: "http://127.0.0.1:1/x") else { preconditionFailure("a URL") }
        var check = HTTPCheck(url)
        change(&check)
        return .http(check)
    }

    @Test(
        "that makes no sense is refused with the reason",
        arguments: [
            (CheckDefinition(http(), interval: .seconds(1)), nil),
            (CheckDefinition(.ttl(.seconds(1))), nil),
            (CheckDefinition(http()), "Interval must be > 0 for HTTP or TCP checks"),
            (CheckDefinition(.ttl(.zero)), "TTL must be > 0 for TTL checks"),
            (
                CheckDefinition(.ttl(.seconds(1)), interval: .seconds(1)),
                "Interval and TTL cannot both be specified"
            ),
            (
                CheckDefinition(
                    .ttl(.seconds(1)),
                    thresholds: .init(failuresBeforeWarning: 3, failuresBeforeCritical: 2)
                ), "FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
            ),
            (CheckDefinition(http { $0.method = "G T" }, interval: .seconds(1)), "Method G T is no method"),
            (
                CheckDefinition(http { $0.fields = [CheckField("A:", "b")] }, interval: .seconds(1)),
                "Header A: is no field name"
            ),
            (
                CheckDefinition(http { $0.fields = [CheckField("A", "b\r\nC: d")] }, interval: .seconds(1)),
                "Header A has a control character in its value"
            ),
            (
                CheckDefinition(http { $0.fields = [CheckField("Content-Length", "0")] }, interval: .seconds(1)),
                "Header Content-Length cannot be set"
            ),
            (
                CheckDefinition(http { $0.body = String(repeating: "x", count: 20_000) }, interval: .seconds(1)),
                "Header and Body have 20000 bytes; expected at most 16384"
            ),
        ] as [(CheckDefinition, String?)]
    )
    func fault(_ definition: CheckDefinition, _ reason: String?) {
        #expect(definition.fault == reason)
    }

    @Test("first runs at a random instant within its interval")
    func firstDelay() {
        let definition = CheckDefinition(Self.http(), interval: .seconds(10))
        var random = SeededGenerator(seed: 7)
        let delays = (0..<1000).map { _ in definition.firstDelay(using: &random) }
        #expect(delays.allSatisfy { $0 >= .zero && $0 < .seconds(10) })
        // Spread over all of it: each tenth has its share.
        for tenth in 0..<10 {
            let share = delays.count { $0 >= .seconds(tenth) && $0 < .seconds(tenth + 1) }
            #expect((50...150).contains(share))
        }
    }

    @Test("keeps the last 4 KiB of what it reads")
    func output() {
        var output = CheckOutput()
        let pieces = (0..<100).map { "\($0)," + String(repeating: "x", count: 97) }
        for piece in pieces { Array(piece.utf8).withUnsafeBytes { output.append($0) } }
        #expect(output.text == String(pieces.joined().suffix(4096)))
        Array(repeating: UInt8(ascii: "y"), count: 10_000).withUnsafeBytes { output.append($0) }
        #expect(output.text == String(repeating: "y", count: 4096))
    }

    @Test("keeps the first 4 KiB of what it is told, and says how much that was")
    func givenOutput() {
        #expect(CheckOutput.given("fine") == "fine")
        let long = String(repeating: "z", count: 5000)
        #expect(CheckOutput.given(long) == String(repeating: "z", count: 4096) + " ... (captured 4096 of 5000 bytes)")
    }
}
