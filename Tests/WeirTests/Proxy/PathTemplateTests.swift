// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirHTTP

@Suite struct PathTemplateTests {
    /// What becomes of a path, in memory that is just long enough.
    private static func written(_ path: String, by template: borrowing PathTemplate) -> String {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: path.utf8.count, alignment: 1)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: path.utf8)
        let path = UnsafeRawBufferPointer(bytes)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: template.byteCount(path), alignment: 1)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        template.write(path, into: &writer)
        let isExact = !writer.overflowed && writer.freeCount == 0
        #expect(isExact)
        return String(decoding: memory[..<writer.count], as: UTF8.self)
    }

    @Test(arguments: [
        ("/v1/*rest", "/", "/v1/", "/"), ("/v1/*rest", "/", "/v1/a", "/a"), ("/v1/*rest", "/", "/v1/a/b/", "/a/b/"),
        ("/v1/*rest", "/v2/", "/v1/a", "/v2/a"), ("/v1/*", "/x/y/", "/v1/a/b", "/x/y/a/b"), ("/*", "/p/", "/", "/p/"),
        ("/v1/:id/*rest", "/all/", "/v1/7/a/b", "/all/a/b"),
        // What is empty stays so, but for a start that would be a host's, and escapes stay as they came.
        ("/v1/*rest", "/", "/v1//a//b", "/a//b"), ("/v1/*rest", "/", "/v1///", "/"),
        ("/v1/*rest", "/v2/", "/v1//a//b", "/v2//a//b"), ("/v1/*rest", "/", "/%761/a%2Cb/%C3%A9", "/a%2Cb/%C3%A9"),
    ])
    func `a prefix stands in front of the rest`(pattern: String, prefix: String, path: String, result: String) {
        #expect(Self.written(path, by: PathTemplate(prefix: prefix, pattern: pattern)) == result)
    }

    @Test(arguments: [
        ("/v1/orders", "/orders", "/v1/orders", "/orders"), ("/*", "/", "/a/b", "/"), ("/a", "/b/", "/a", "/b/"),
        ("/v1/orders/:id", "/orders/:id", "/v1/orders/7", "/orders/7"), ("/:a/:b", "/:b/:a", "/1/2", "/2/1"),
        ("/:a/:b", "/x/:b/y/:b/", "/1/2", "/x/2/y/2/"), ("/:a/x/*rest", "/:a/*rest", "/1/x/2/3?", "/1/2/3?"),
        ("/v1/*", "/v2/*", "/v1/a/b", "/v2/a/b"), ("/v1/*rest", "/*rest/tail", "/v1/a/b", "/a/b/tail"),
        ("/v1/*rest", "/v2/*rest", "/v1/", "/v2/"), ("/:id", "/o/:id", "/a%20b%2C", "/o/a%20b%2C"),
        ("/v1/*rest", "/*rest/a", "/v1/", "/a"), ("/v1/*rest", "/*rest/a", "/v1//x", "/x/a"),
        ("/:id", "/o/:id", "/:id", "/o/:id"), ("/x/:id/y", "/%3A/:id", "/x/é/y", "/%3A/é"),
    ])
    func `a path is filled in`(pattern: String, template: String, path: String, result: String) {
        #expect(Self.written(path, by: PathTemplate(path: template, pattern: pattern)) == result)
    }

    @Test func `a path with fewer segments fills in nothing`() {
        #expect(Self.written("/", by: PathTemplate(path: "/x/:b/*r", pattern: "/:a/:b/*r")) == "/x//")
    }
}
