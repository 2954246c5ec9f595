// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite("A list of endpoints") struct EndpointListTests {
    @Test("Endpoints come in the order in which they are listed")
    func order() throws {
        let list = "http://10.0.0.1:8080;weight=3 , http://10.0.0.2:8080,unix:/a"
        let endpoints = try EndpointURL.list(list)
        #expect(endpoints.map(\.description) == ["http://10.0.0.1:8080;weight=3", "http://10.0.0.2:8080", "unix:/a"])
        #expect(endpoints.map(\.weight) == [3, 1, 1])
        #expect(try EndpointURL.list(endpoints.map(\.description).joined(separator: ",")) == endpoints)
    }

    @Test(
        "A list with one bad element is refused",
        arguments: [
            ("", EndpointURLError.empty(position: 1)), ("  ", .empty(position: 1)),
            ("http://a,", .empty(position: 2)), ("http://a,,http://b", .empty(position: 2)),
            ("http://a,b", .missingScheme(url: "b")),
            ("http://a,http://a", .duplicate(url: "http://a")),
            ("http://a;weight=2,http://A:80", .duplicate(url: "http://A:80")),
            ("http://[::ffff:1.2.3.4],http://1.2.3.4", .duplicate(url: "http://1.2.3.4")),
            ("unix:/a,unix:/a;weight=7", .duplicate(url: "unix:/a;weight=7")),
        ]
    )
    func fault(list: String, error: EndpointURLError) {
        #expect(throws: error) { _ = try EndpointURL.list(list) }
    }

    @Test("A list has a greatest length")
    func tooMany() throws {
        let urls = (0..<EndpointURL.endpointsMax).map { "http://a\($0)" }
        #expect(try EndpointURL.list(urls.joined(separator: ",")).count == 256)
        let error = EndpointURLError.tooMany(count: 257, countMax: 256)
        #expect(throws: error) {
            _ = try EndpointURL.list((urls + ["http://b"]).joined(separator: ","))
        }
        #expect(error.description == "the list has 257 endpoints; at most 256 are allowed")
    }
}
