// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirRouting
import WeirTestSupport

@Suite struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/"), ("/a", "/a"), ("/a/", "/a/"), ("/a/b", "/a/b"),
        ("/.", "/"), ("/./", "/"), ("/a/.", "/a/"), ("/a/./b", "/a/b"), ("/./a", "/a"),
        ("/a/..", "/"), ("/a/../", "/"), ("/a/../b", "/b"), ("/a/b/..", "/a/"), ("/a/b/../", "/a/"),
        ("/a/b/../../c", "/c"), ("/a/./../b", "/b"), ("/a/../b/../c/", "/c/"),
        // An escaped dot is a dot, in either case of its digit.
        ("/a/%2e%2E/b", "/b"), ("/a/.%2e/b", "/b"), ("/a/%2e./b", "/b"), ("/a/%2E/b", "/a/b"), ("/%2e", "/"),
        // What only looks like one stays, as do all other escapes.
        ("/.../a", "/.../a"), ("/..a/b", "/..a/b"), ("/a../b", "/a../b"), ("/.a", "/.a"),
        ("/%2e%2e%2e/a", "/%2e%2e%2e/a"), ("/%2ea", "/%2ea"), ("/a%2e", "/a%2e"), ("/%252e/a", "/%252e/a"),
        ("/a%2Cb/%C3%A9", "/a%2Cb/%C3%A9"), ("/%2", "/%2"), ("/%2f", "/%2f"),
        // Empty segments are segments.
        ("//", "//"), ("/a//b", "/a//b"), ("/a//../b", "/a/b"), ("//..", "/"), ("//../a", "/a"), ("/a//./b", "/a//b"),
    ])
    func `dot segments are gone and everything else is as it came`(path: String, expected: String) {
        #expect(Self.withoutDotSegments(path) == expected)
    }

    @Test(arguments: 1...20)
    func `the endpoint sees the path that the route was chosen by`(seed: Int) throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: "/", route: 0)
        try builder.add(.get, host: nil, pattern: "/*rest", route: 1)
        let table = builder.build(version: 1)
        var random = SeededGenerator(seed: UInt64(seed))
        let pieces = [
            "/", "/", "/", "a", "b", ".", ".", "..", "%2e", "%2E", "%2e%2e", "%61", "%252e", "%2C", ",", "~", "%20",
            "é",
        ]
        for _ in 0..<4000 {
            let path = "/" + (0..<random.below(12)).map { _ in pieces[random.below(pieces.count)] }.joined()
            // Where the path leads above the root there is no route, and nothing goes on.
            guard let chosen = Self.normalized(path, table) else { continue }
            let sent = Self.withoutDotSegments(path)
            let seen = try #require(Self.normalized(sent, table), "\(path) went on as \(sent)")
            #expect(seen == chosen, "\(path) went on as \(sent)")
            // Nor does a reader that does not decode, or decodes and then looks, find a way up.
            for segment in sent.split(separator: "/", omittingEmptySubsequences: false) {
                let decoded = segment.replacing("%2e", with: ".").replacing("%2E", with: ".")
                #expect(decoded != ".", "\(path) went on as \(sent)")
                #expect(decoded != "..", "\(path) went on as \(sent)")
            }
            #expect(Self.withoutDotSegments(sent) == sent, "once is enough")
        }
    }

    private static func withoutDotSegments(_ path: String) -> String {
        var memory = [UInt8](repeating: 0xAA, count: path.utf8.count)
        let count = Array(path.utf8).withUnsafeBytes { path in
            memory.withUnsafeMutableBytes { RequestTarget.withoutDotSegments(path, into: $0) }
        }
        return String(decoding: memory[..<count], as: UTF8.self)
    }

    /// The path as routes are compared with it; nil where it is refused.
    private static func normalized(_ path: String, _ table: RouteTable) -> [UInt8]? {
        let bytes = Array(path.utf8)
        var match = RouteMatch()
        var scratch = [UInt8](repeating: 0, count: bytes.count)
        var scratchSpan = scratch.mutableSpan
        let host: [UInt8] = []
        let outcome = table.lookup(
            method: 0,
            host: host.span,
            path: bytes.span,
            match: &match,
            scratch: &scratchSpan
        )
        guard case .found = outcome else { return nil }
        return Array((match.usesScratch ? scratch : bytes).prefix(match.normalizedCount))
    }
}
