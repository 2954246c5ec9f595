// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct EndpointFileTests {
    private func read(_ text: String) throws -> [DiscoveredEndpoint] { try EndpointFile.parse(Array(text.utf8)) }

    @Test(arguments: [
        "http://10.0.0.1:8080;weight=3\nhttp://orders:81\n",
        "# all of them\r\n\r\n  http://10.0.0.1:8080;weight=3\t# strong\r\nhttp://orders:81",
        "[\"http://10.0.0.1:8080;weight=3\",\n \"http://orders:81\"]",
        " \n[ { \"weight\" : 3 , \"url\" : \"http:\\/\\/10.0.0.1:8080\" }, {\"url\":\"http://orders:81\"} ] \n",
    ])
    func `both forms list the same endpoints`(_ text: String) throws {
        #expect(
            try read(text) == [
                try DiscoveredEndpoint("http://10.0.0.1:8080;weight=3"), DiscoveredEndpoint("http://orders:81"),
            ]
        )
    }

    @Test func `an object says more than a URL`() throws {
        let list = try read(#"[{"url": "unix:/run/a", "zone": "eu \"1\"", "tags": ["v2", "blue"], "weight": 7}]"#)
        var expected = try DiscoveredEndpoint("unix:/run/a;weight=7")
        expected.zone = "eu \"1\""
        expected.tags = ["v2", "blue"]
        #expect(list == [expected])
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "[]", " [ ] "])
    func `a text may list nothing`(_ text: String) throws {
        #expect(try read(text).isEmpty)
    }

    @Test(arguments: [
        (
            "http://a\nhttps://b:0",
            "line 2: endpoint \"https://b:0\": port \"0\" must be a whole number from 1 to 65535"
        ),
        ("http://a\n\nhttp://A:80;weight=2", "line 3: http://a is listed already, on line 1; remove one"),
        ("http://u:secret@a", "line 1: endpoint \"http://***@a\" has a user name; write http://host:port alone"),
        ("[\n\"http://a\"\n\"http://b\"]", "line 3: a comma or ] must come next"),
        ("[\"http://a\",\n]", "line 2: an endpoint is a text or an object"),
        ("[\"http://a\n\"]", "line 1: a text lacks its closing quote"),
        ("[\"http://a\"] x", "line 1: nothing may follow the list"),
        ("[\"http://a\\u0041\"]", "line 1: a backslash stands before \", \\ or / only"),
        ("[{\"weight\": 3}]", "line 1: the endpoint has no url"),
        (
            "[{\"url\": \"http://a\",\n\"port\": 3}]",
            "line 2: an endpoint has no \"port\"; it has url, weight, zone and tags"
        ),
        ("[{\"url\": \"http://a\", \"url\": \"http://b\"}]", "line 1: \"url\" is there twice; write it once"),
        (
            "[{\"url\": \"http://a\", \"weight\": 1.5}]",
            "line 1: endpoint \"http://a;weight=1.5\": weight \"1.5\" must be a whole number from 1 to 65535"
        ),
        (
            "[{\"url\": \"http://a;weight=1\", \"weight\": 1}]",
            "line 1: endpoint \"http://a;weight=1;weight=1\" gives \"weight\" twice; write it once"
        ),
        ("[{\"url\" \"http://a\"}]", "line 1: a colon must follow \"url\""),
        ("[{\"url\": [\"http://a\"]}]", "line 1: url must be a text"),
        ("[{\"url\": \"http://a\", \"tags\": \"x\"}]", "line 1: a list in [ and ] must come next"),
        ("[", "line 1: an endpoint is a text or an object"),
        ("{}", "line 1: endpoint \"{}\" has no scheme; write http://host:port, https://host:port or unix:/path"),
    ])
    func `a fault names its line`(_ text: String, _ expected: String) {
        #expect { try read(text) } throws: { "\($0)" == expected }
    }

    @Test func `what is not UTF-8, too large or too much is refused`() {
        #expect(throws: EndpointFileError.notUTF8(line: 2)) {
            try EndpointFile.parse(Array("http://a\n".utf8) + [0xFF])
        }
        #expect(throws: EndpointFileError.notUTF8(line: 1)) { try EndpointFile.parse([0x5B, 0x22, 0xFF, 0x22, 0x5D]) }
        #expect(throws: EndpointFileError.tooLarge(bytesMax: 1 << 20)) {
            try EndpointFile.parse([UInt8](repeating: 0x20, count: 1 << 20 + 1))
        }
        let many = (0...Upstream.endpointsMax).map { "http://a:\($0 % 65_535 + 1)\n" }.joined()
        #expect(throws: EndpointFileError.tooManyLines(line: 4097, countMax: 4096)) { try read(many) }
    }

    @Test func `no bytes make it trap, and a cut list is never taken for a whole one`() throws {
        let whole = Array(#"[{"url": "http://a", "weight": 3, "zone": "z", "tags": ["x"]}, "http://b"]"#.utf8)
        for count in 1..<whole.count {
            #expect(throws: EndpointFileError.self) { try EndpointFile.parse(Array(whole[..<count])) }
        }
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<3 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = try? EndpointFile.parse(bytes)
        }
    }
}
