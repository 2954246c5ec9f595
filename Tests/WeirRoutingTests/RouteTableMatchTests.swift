// SPDX-License-Identifier: Apache-2.0
// Which pattern answers a path, with which parameters.

import Testing
import WeirRouting

@Suite struct RouteTableMatchTests {
    /// Patterns, then paths with the pattern that answers (nil: not found) and the parameters.
    struct Case: CustomTestStringConvertible, Sendable {
        let patterns: [String]
        let path: String
        let expected: String?
        let parameters: [String]

        init(_ patterns: [String], _ path: String, _ expected: String?, _ parameters: [String] = []) {
            self.patterns = patterns
            self.path = path
            self.expected = expected
            self.parameters = parameters
        }

        var testDescription: String { "\(patterns) \(path)" }
    }

    static let users = ["/users", "/users/", "/users/new", "/users/:id", "/users/:id/orders/:order", "/users/*rest"]
    static let files = ["/files/*path", "/files/a/b"]
    static let crossed = ["/a/:x/c", "/a/b/d", "/:y/b/e"]

    @Test(
        "a literal goes before a parameter, a parameter before a catch-all, with the way back open",
        arguments: [
            Case(users, "/users", "/users"),
            Case(users, "/users/", "/users/"),
            Case(users, "/users/new", "/users/new"),
            Case(users, "/users/news", "/users/:id", ["news"]),
            Case(users, "/users/ne", "/users/:id", ["ne"]),
            Case(users, "/users/New", "/users/:id", ["New"]),
            Case(users, "/users/new/orders/7", "/users/:id/orders/:order", ["new", "7"]),
            Case(users, "/users/new/orders/", "/users/*rest", ["new/orders/"]),
            Case(users, "/users/42/", "/users/*rest", ["42/"]),
            Case(users, "/users//orders/7", "/users/*rest", ["/orders/7"]),
            Case(users, "/user", nil),
            Case(users, "/usersx", nil),
            Case(users, "/", nil),
            Case(files, "/files/", "/files/*path", [""]),
            Case(files, "/files", nil),
            Case(files, "/files/a/b", "/files/a/b"),
            Case(files, "/files/a/b/", "/files/*path", ["a/b/"]),
            Case(files, "/files//", "/files/*path", ["/"]),
            Case(files, "/files/%61/./b", "/files/a/b"),
            Case(crossed, "/a/b/c", "/a/:x/c", ["b"]),
            Case(crossed, "/a/b/d", "/a/b/d"),
            Case(crossed, "/a/b/e", "/:y/b/e", ["a"]),
            Case(crossed, "/a/b/f", nil),
            Case(["/", "/:a"], "/", "/"),
            Case(["/:a"], "/", nil),
            Case(["/:a/"], "/x/", "/:a/", ["x"]),
            Case(["/:a/"], "/x", nil),
            Case(["/:a/:b"], "//x", nil),
            Case(["//x"], "//x", "//x"),
            Case(["/*"], "/", "/*", [""]),
            Case(["/*"], "//", "/*", ["/"]),
            Case(["/%3Aid", "/:id"], "/:id", "/%3Aid"),
            Case(["/caf%C3%A9"], "/café", "/caf%C3%A9"),
            Case(["/café"], "/caf%c3%a9", "/café"),
            Case(["/a%20b"], "/a b", "/a%20b"),
            Case(["/A"], "/a", nil),
            Case(["/abcdefgh/ijklmnop", "/abcdefgh/ijklmnoq"], "/abcdefgh/ijklmnoq", "/abcdefgh/ijklmnoq"),
            Case(["/abcdefghij/:x"], "/abcdefghiX/1", nil),
            Case(["/:a/x/*r", "/:a/:b/y"], "/1/x/y", "/:a/x/*r", ["1", "y"]),
            Case(["/:a/x/z", "/:a/:b/y", "/*r"], "/1/x/y", "/:a/:b/y", ["1", "x"]),
            Case(["/:a/x/z", "/:a/:b/y", "/*r"], "/1/x/w", "/*r", ["1/x/w"]),
            Case(["/longer/x/:p", "/:a/:b/y/:c"], "/longer/x/y/z", "/:a/:b/y/:c", ["longer", "x", "z"]),
            Case([], "/", nil),
        ]
    )
    func precedence(_ example: Case) throws {
        let lookup = Lookup(try .of(example.patterns), example.path)
        let pattern = lookup.match.route < 0 ? nil : example.patterns[Int(lookup.match.route)]
        #expect(pattern == example.expected)
        #expect(lookup.outcome == (example.expected == nil ? .notFound : .found))
        #expect(lookup.parameters == example.parameters)
    }

    @Test("sixteen parameters, the last a catch-all, land in their slots")
    func sixteenParameters() throws {
        let pattern = (1...15).map { "/:p\($0)" }.joined() + "/*rest"
        let path = (1...15).map { "/value\($0)" }.joined() + "/x/y"
        let lookup = Lookup(try .of([pattern]), path)
        #expect(lookup.parameters == (1...15).map { "value\($0)" } + ["x/y"])
    }

    @Test("a node with a child for nearly every byte finds each of them and no other")
    func wideNode() throws {
        var builder = RouteTableBuilder()
        let bytes = (UInt8(0x21)...0xFF).filter {
            ![0x23, 0x25, 0x2A, 0x2E, 0x2F, 0x3A, 0x3F, 0x5C, 0x7F].contains($0)
        }
        for byte in bytes where byte % 3 != 0 {
            try builder.add(.get, host: nil, pattern: "/x\(escape(byte))", route: Int(byte))
        }
        let table = builder.build(version: 1)
        for byte in bytes {
            let lookup = Lookup(table, path: [0x2F, 0x78, byte])
            #expect(lookup.match.route == (byte % 3 != 0 ? Int32(byte) : -1))
        }
    }

    @Test("a match that is used again keeps nothing of the lookup before")
    func reusedMatch() throws {
        let table = try RouteTable.of(["/:a/:b", "/x"])
        let first = Lookup(table, 1, path: Array("/%31/2".utf8))
        #expect(first.match.usesScratch && first.match.isAutomaticHead && first.match.parameterCount == 2)
        let second = Lookup(table, 2, path: Array("/x".utf8), match: first.match)
        #expect(second.outcome == .methodNotAllowed)
        let third = Lookup(table, 0, path: Array("/".utf8), match: second.match)
        #expect(third.answer == Answer(kind: .notFound))
        #expect(!third.match.usesScratch && third.match.normalizedCount == 1)
    }

    private func escape(_ byte: UInt8) -> String {
        "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
