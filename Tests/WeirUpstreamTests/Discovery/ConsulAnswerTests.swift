// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct ConsulAnswerTests {
    /// As Consul 1.17 writes it, shortened.
    private static let answer = """
        [{"Node": {"ID": "40e4a748", "Node": "foobar", "Address": "10.1.10.12", "Datacenter": "dc1",
                   "TaggedAddresses": {"lan": "10.1.10.12"}, "Meta": {"instance_type": "t2.medium"},
                   "Locality": {"Region": "eu", "Zone": "eu-1"}},
          "Service": {"ID": "orders-2", "Service": "orders", "Tags": ["v2", "blue"], "Address": "", "Meta": {},
                      "Port": 8000, "Weights": {"Passing": 10, "Warning": 1}, "Namespace": "default"},
          "Checks": [{"Node": "foobar", "CheckID": "service:orders", "Status": "warning", "Output": ""},
                     {"Node": "foobar", "CheckID": "serfHealth", "Status": "passing"}]},
         {"Node": {"Node": "other", "Address": "10.1.10.13"},
          "Service": {"ID": "orders-1", "Service": "orders", "Tags": null, "Address": "fd00::7", "Port": 80,
                      "Locality": {"Zone": "eu-2"}},
          "Checks": null}]
        """

    private func read(_ text: String) -> [DiscoveredEndpoint]? { ConsulAnswer.endpoints(Array(text.utf8)) }

    /// One instance with this service and these checks' words.
    private func one(_ service: String, _ statuses: String...) -> DiscoveredEndpoint? {
        let checks = statuses.map { "{\"Status\": \"\($0)\"}" }.joined(separator: ",")
        return read("[{\"Node\": {\"Address\": \"10.0.0.1\"}, \"Service\": {\(service)}, \"Checks\": [\(checks)]}]")?
            .first
    }

    @Test func `instances come with their weights, health, zone and tags, in the order of their ids`() throws {
        var warned = try DiscoveredEndpoint("http://10.1.10.12:8000;weight=10")
        warned.warningWeight = 1
        warned.health = .warning
        warned.zone = "eu-1"
        warned.tags = ["v2", "blue"]
        var plain = try DiscoveredEndpoint("http://[fd00::7]:80")
        plain.health = .passing
        plain.zone = "eu-2"
        #expect(read(Self.answer) == [plain, warned])
    }

    @Test(
        arguments: [
            ([], .passing), (["passing"], .passing), (["passing", "warning", "passing"], .warning),
            (["warning", "critical", "passing"], .critical), (["maintenance"], .critical),
            (["", "warning"], .critical),
        ] as [([String], DiscoveredHealth)]
    )
    func `an instance is as well as its worst check`(_ statuses: [String], _ expected: DiscoveredHealth) {
        let checks = statuses.map { "{\"Status\": \"\($0)\"}" }.joined(separator: ",")
        let text = "[{\"Node\": {\"Address\": \"10.0.0.1\"}, \"Service\": {\"Port\": 80}, \"Checks\": [\(checks)]}]"
        #expect(read(text)?.first?.health == expected)
    }

    @Test func `weights are kept within what an endpoint may have`() {
        let endpoint = one(#""Port": 80, "Weights": {"Passing": 0, "Warning": 70000}"#)
        #expect(endpoint?.url.weight == 1)
        #expect(endpoint?.warningWeight == 65_535)
        #expect(one(#""Port": 80, "Weights": {"Passing": 3, "Warning": 0}"#)?.warningWeight == 0)
    }

    @Test(arguments: [
        #""Port": 0"#, #""Port": 65536"#, #""Port": -1"#, "", #""Port": 80, "Address": "a b""#,
        #""Port": 80, "Address": "x/y""#, #""Port": 80, "Address": "u@h""#,
    ])
    func `an instance that cannot be connected to is left out`(_ service: String) {
        #expect(read("[{\"Node\": {\"Address\": \"10.0.0.1\"}, \"Service\": {\(service)}}]")?.isEmpty == true)
    }

    @Test func `an instance may be at a name`() {
        #expect(one(#""Port": 81, "Address": "Orders.shop""#)?.url.description == "http://orders.shop:81")
    }

    @Test(arguments: [
        "", "{}", "null", "[1]", "[{}]", "[{\"Node\": {}}]", "<html>",
        "[{\"Node\": {}, \"Service\": {\"Port\": \"80\"}}]",
    ])
    func `anything else is no answer`(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func `no bytes make it trap`() {
        let whole = Array(Self.answer.utf8)
        var random = SeededGenerator(seed: 9)
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<4 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = ConsulAnswer.endpoints(bytes)
        }
    }
}

@Suite struct ConsulQueryTests {
    @Test func `a query has all that it was given, encoded`() throws {
        let server = try EndpointURL(parsing: "http://consul:8500")
        var query = try ConsulQuery(server: server, service: "o/r ü", token: "secret-1")
        query.tags = ["v=2&x", "eu"]
        query.datacenter = "dc1"
        query.passingOnly = true
        #expect(
            String(decoding: query.request(index: 7), as: UTF8.self) == """
                GET /v1/health/service/o%2Fr%20%C3%BC?wait=60s&index=7&passing=true&tag=v%3D2%26x&tag=eu&dc=dc1 HTTP/1.1\r
                Host: consul:8500\r
                Accept: application/json\r
                X-Consul-Token: secret-1\r
                \r

                """
        )
        let plain = try ConsulQuery(server: server, service: "orders")
        #expect(
            String(decoding: plain.request(index: 0), as: UTF8.self).hasPrefix(
                "GET /v1/health/service/orders?wait=60s HTTP/1.1\r\n"
            )
        )
    }

    @Test(arguments: ["a b", "a\r\nX: y", "", "ü"])
    func `a token that would change the request is refused`(_ token: String) throws {
        let server = try EndpointURL(parsing: "http://consul:8500")
        #expect(throws: ConsulQueryError.invalidToken) {
            try ConsulQuery(server: server, service: "orders", token: token)
        }
        #expect(throws: ConsulQueryError.noService) { try ConsulQuery(server: server, service: "") }
    }
}

@Suite struct ConsulIndexTests {
    @Test(
        arguments: [
            (["5", "9", "9"], [5, 9, 9]), (["9", "5", "6"], [9, 0, 6]), (["9", "0", "4"], [9, 0, 4]),
            (["9", nil, "9"], [9, 0, 9]), (["x", "-1", "18446744073709551616", "3"], [0, 0, 0, 3]),
        ] as [([String?], [UInt64])]
    )
    func `an index is taken over, and begins again where it goes backwards`(_ texts: [String?], _ expected: [UInt64]) {
        var index = ConsulIndex()
        let values = texts.map { text in
            index.note(text)
            return index.value
        }
        #expect(values == expected)
    }
}
