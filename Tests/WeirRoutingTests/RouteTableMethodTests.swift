// SPDX-License-Identifier: Apache-2.0
// How methods choose among the patterns that match.

import Testing
import WeirRouting

@Suite struct RouteTableMethodTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let method: UInt8
        let path: String
        let expected: Answer

        init(_ method: UInt8, _ path: String, _ expected: Answer) {
            self.method = method
            self.path = path
            self.expected = expected
        }

        var testDescription: String { "method \(method) \(path)" }
    }

    private static func table() throws -> RouteTable {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: "/items", route: 0)
        try builder.add([.post, .patch], host: nil, pattern: "/items", route: 1)
        try builder.add(.put, host: nil, pattern: "/:other", route: 2)
        try builder.add(.delete, host: nil, pattern: "/*rest", route: 3)
        try builder.add(.head, host: nil, pattern: "/explicit/:id", route: 4)
        try builder.add(.get, host: nil, pattern: "/explicit/:id", route: 5)
        try builder.add(.get, host: nil, pattern: "/explicit/x", route: 6)
        try builder.add(.options, host: nil, pattern: "/options/:id", route: 7)
        try builder.add(.get, host: nil, pattern: "/options/x", route: 8)
        try builder.add(.other, host: nil, pattern: "/other/x", route: 9)
        return builder.build(version: 1)
    }

    @Test(
        "the most specific pattern that has the method answers; Allow is the union of all that match",
        arguments: [
            Case(0, "/items", Answer(kind: .found, route: 0)),
            Case(1, "/items", Answer(kind: .found, route: 0, isAutomaticHead: true)),
            Case(2, "/items", Answer(kind: .found, route: 1)),
            Case(8, "/items", Answer(kind: .found, route: 1)),
            Case(3, "/items", Answer(kind: .found, route: 2, parameters: ["items"])),
            Case(4, "/items", Answer(kind: .found, route: 3, parameters: ["items"])),
            Case(
                6,
                "/items",
                Answer(
                    kind: .automaticOptions,
                    allowed: [.get, .head, .post, .put, .delete, .options, .patch]
                )
            ),
            Case(
                7,
                "/items",
                Answer(
                    kind: .methodNotAllowed,
                    allowed: [.get, .head, .post, .put, .delete, .options, .patch]
                )
            ),
            Case(
                9,
                "/items",
                Answer(
                    kind: .methodNotAllowed,
                    allowed: [.get, .head, .post, .put, .delete, .options, .patch]
                )
            ),
            Case(0, "/x", Answer(kind: .methodNotAllowed, allowed: [.put, .delete, .options])),
            Case(6, "/x", Answer(kind: .automaticOptions, allowed: [.put, .delete, .options])),
            Case(1, "/x", Answer(kind: .methodNotAllowed, allowed: [.put, .delete, .options])),
            Case(1, "/explicit/1", Answer(kind: .found, route: 4, parameters: ["1"])),
            Case(1, "/explicit/x", Answer(kind: .found, route: 6, isAutomaticHead: true)),
            Case(6, "/options/1", Answer(kind: .found, route: 7, parameters: ["1"])),
            Case(6, "/options/x", Answer(kind: .found, route: 7, parameters: ["x"])),
            Case(9, "/other/x", Answer(kind: .found, route: 9)),
            Case(200, "/other/x", Answer(kind: .found, route: 9)),
            Case(0, "/other/x", Answer(kind: .methodNotAllowed, allowed: [.delete, .options, .other])),
        ]
    )
    func methods(_ example: Case) throws {
        #expect(Lookup(try Self.table(), example.method, example.path).answer == example.expected)
    }

    @Test("a path without any route is not found, whatever the method", arguments: UInt8(0)...10)
    func notFound(method: UInt8) throws {
        #expect(Lookup(try .of(["/a"]), method, "/b").answer == Answer(kind: .notFound))
    }

    @Test("routes of one pattern are told apart by method alone", arguments: UInt8(0)...9)
    func eachMethod(method: UInt8) throws {
        var builder = RouteTableBuilder()
        for index in UInt8(0)..<10 {
            try builder.add(MethodSet(methodIndex: index), host: nil, pattern: "/:id", route: Int(index))
        }
        #expect(
            Lookup(builder.build(version: 1), method, "/x").answer
                == Answer(kind: .found, route: Int(method), parameters: ["x"])
        )
    }
}
