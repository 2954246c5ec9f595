// SPDX-License-Identifier: Apache-2.0
// How a request's path is normalized, and which are refused.

import Testing
import WeirRouting

@Suite struct RouteTablePathTests {
    @Test(
        "escapes are decoded once and dot segments removed after that",
        arguments: [
            ("/", "/"), ("/a", "/a"), ("//", "//"), ("/a//b/", "/a//b/"),
            ("/%61", "/a"), ("/%41%7a", "/Az"), ("/a%20b", "/a b"), ("/%C3%A9", "/é"),
            ("/%2561", "/%61"), ("/%252e%252e/x", "/%2e%2e/x"), ("/%252F", "/%2F"), ("/%3F%23%25", "/?#%"),
            ("/.", "/"), ("/./", "/"), ("/a/.", "/a/"), ("/a/./b", "/a/b"),
            ("/a/..", "/"), ("/a/../", "/"), ("/a/b/..", "/a/"), ("/a/b/../c", "/a/c"), ("/a/b/../../c", "/c"),
            ("/a/%2e%2E/b", "/b"), ("/a/.%2e", "/"), ("/a/%2E/b", "/a/b"),
            ("//..", "/"), ("//../a", "/a"), ("/a//../b", "/a/b"), ("/a///../b", "/a//b"),
            ("/...", "/..."), ("/.a", "/.a"), ("/..a/b", "/..a/b"), ("/a./b..", "/a./b.."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/b/c/d/e/../../../../../x", "/x"), ("/aaaaaa/../b", "/b"), ("/aaaaaaa/../b", "/b"),
            ("/aaaaaaaa/../b", "/b"),
        ]
    )
    func normalized(path: String, expected: String) throws {
        let lookup = Lookup(try .of(["/*all"]), path)
        #expect(lookup.outcome == .found)
        #expect(String(decoding: lookup.normalized, as: UTF8.self) == expected)
        #expect(lookup.parameters == [String(expected.dropFirst())])
    }

    @Test(
        "a path that two readers could take differently is refused",
        arguments: [
            ("", .notAbsolute), ("*", .notAbsolute), ("a/b", .notAbsolute), ("%2Fa", .notAbsolute),
            ("/%", .invalidEscape), ("/%4", .invalidEscape), ("/%4/", .invalidEscape), ("/%zz", .invalidEscape),
            ("/%%34", .invalidEscape), ("/a%", .invalidEscape), ("/%u0041", .invalidEscape), ("/%+1", .invalidEscape),
            ("/%00", .controlByte), ("/a%0d%0A", .controlByte), ("/%7F", .controlByte), ("/%1f", .controlByte),
            ("/\u{0}", .controlByte), ("/a\tb", .controlByte), ("/abcdefgh\u{7F}", .controlByte),
            ("/%2F", .encodedSlash), ("/a%2fb", .encodedSlash), ("/..%2f..", .encodedSlash),
            ("/%5C", .backslash), ("/a\\b", .backslash), ("/..%5c..", .backslash), ("/abcdefghijk\\", .backslash),
            ("/..", .aboveRoot), ("/../", .aboveRoot), ("/a/../..", .aboveRoot), ("/%2e%2e/etc", .aboveRoot),
            ("/./..", .aboveRoot), ("/a/b/../../../c", .aboveRoot), ("//../..", .aboveRoot),
        ] as [(String, PathFault)]
    )
    func refused(path: String, fault: PathFault) throws {
        let lookup = Lookup(try .of(["/*all", "/", "/a/b"]), path)
        #expect(lookup.outcome == .invalidPath(fault))
        #expect(lookup.match.normalizedCount == 0 && lookup.match.parameterCount == 0 && lookup.match.route == -1)
    }

    @Test(
        "a path that is normal as it comes is not copied",
        arguments: [
            "/", "/a/b", "/a.b", "/a..", "//", "/app.min.js", "/é", "/aaaaaaa.", "/aaaaaaaa./a.a/~x;y=1,2!$&'()",
        ]
    )
    func notCopied(path: String) throws {
        let lookup = Lookup(try .of(["/*all"]), path)
        #expect(lookup.outcome == .found)
        #expect(!lookup.match.usesScratch)
        #expect(lookup.match.normalizedCount == path.utf8.count)
    }

    @Test("every byte is judged alike wherever in the path it stands")
    func everyBytePosition() throws {
        let table = try RouteTable.of(["/*all"])
        for byte in UInt8.min...UInt8.max {
            for position in 1...24 {
                for tail in [0, 1, 7, 8, 9] {
                    var path = [UInt8](repeating: UInt8(ascii: "x"), count: position) + [byte]
                    path += [UInt8](repeating: UInt8(ascii: "y"), count: tail)
                    path[0] = UInt8(ascii: "/")
                    let expected: RouteOutcome =
                        switch byte {
                        case 0..<0x20, 0x7F: .invalidPath(.controlByte)
                        case UInt8(ascii: "\\"): .invalidPath(.backslash)
                        case UInt8(ascii: "%"): .invalidPath(.invalidEscape)
                        default: .found
                        }
                    #expect(Lookup(table, path: path).outcome == expected, "byte \(byte) at \(position), tail \(tail)")
                }
            }
        }
    }

    @Test("a dot segment is seen wherever in the path it stands")
    func everyDotPosition() throws {
        let table = try RouteTable.of(["/*all"])
        for front in 1...24 {
            for tail in 0...9 {
                let start = "/" + String(repeating: "x", count: front)
                let end = tail == 0 ? "" : "/" + String(repeating: "y", count: tail)
                let lookup = Lookup(table, start + "/.." + end)
                #expect(String(decoding: lookup.normalized, as: UTF8.self) == (tail == 0 ? "/" : end))
                #expect(lookup.match.usesScratch)
            }
        }
    }

    @Test("bytes that are no UTF-8 pass through")
    func notUTF8() throws {
        let table = try RouteTable.of(["/:a"])
        let path: [UInt8] = [0x2F, 0xFF, 0xC0]
        #expect(Lookup(table, path: path).normalized == path)
        #expect(Lookup(table, "/%FF%C0").normalized == path)
    }
}
