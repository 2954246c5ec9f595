// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

@Suite struct HeadWriterEditsTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let lines: [String]
        var removed: [String] = []
        var added: [(String, String)] = []
        let result: [String]

        var testDescription: String { "\(lines) without \(removed), with \(added)" }
    }

    /// The head of these lines, edited and ended, in memory that is just long enough.
    private static func edited(_ lines: [String], _ edits: borrowing FieldEdits, spare: Int = 0) -> String? {
        let head = lines.map { "\($0)\r\n" }.joined()
        let capacity = head.utf8.count + edits.addedByteCount + 2 + spare
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        writer.raw(Array(head.utf8).span)
        writer.edit(edits)
        writer.end()
        return writer.overflowed ? nil : String(decoding: memory[..<writer.count], as: UTF8.self)
    }

    static let cases = [
        Case(lines: ["GET / HTTP/1.1"], result: ["GET / HTTP/1.1"]),
        Case(lines: ["S", "A: 1"], result: ["S", "A: 1"]),
        Case(lines: ["S", "A: 1"], removed: ["a"], result: ["S"]),
        Case(lines: ["S", "A: 1", "B: 2", "C: 3"], removed: ["b"], result: ["S", "A: 1", "C: 3"]),
        Case(lines: ["S", "a: 1", "B: 2", "A: 3"], removed: ["A"], result: ["S", "B: 2"]),
        Case(lines: ["S", "A: 1", "B: 2", "C: 3"], removed: ["a", "c"], result: ["S", "B: 2"]),
        Case(lines: ["S", "A: 1", "B: 2"], removed: ["a", "b"], result: ["S"]),
        // A name is the whole of it, and neither a value nor the start line has one.
        Case(lines: ["S", "ab: 1", "b: a", "a-b: 2"], removed: ["a"], result: ["S", "ab: 1", "b: a", "a-b: 2"]),
        Case(lines: ["A: / HTTP/1.1", "A: 1"], removed: ["a"], result: ["A: / HTTP/1.1"]),
        Case(lines: ["S", "A:1", "B:", "C: x: y"], removed: ["b"], result: ["S", "A:1", "C: x: y"]),
        Case(lines: ["S", "A: 1"], added: [("x", "2")], result: ["S", "A: 1", "x: 2"]),
        Case(lines: ["S", "A: 1"], removed: ["a"], added: [("a", "2"), ("A", "")], result: ["S", "a: 2", "A: "]),
        // A server that makes variables of fields reads both as one.
        Case(lines: ["S", "X_A-b: 1", "x-a_b: 2", "xxa-b: 3"], removed: ["X-A-B"], result: ["S", "xxa-b: 3"]),
        Case(lines: ["S", "X-A: 1", "x_a: 2"], removed: ["x_a"], added: [("x_a", "3")], result: ["S", "x_a: 3"]),
        Case(
            lines: ["S", "Via: 1.1 weir", "Date: now"],
            removed: ["via", "via", "absent"],
            added: [("x", "é")],
            result: ["S", "Date: now", "x: é"]
        ),
    ]

    @Test(arguments: cases)
    func `fields go and come, and all others stay in their order`(example: Case) {
        let edits = FieldEdits(removing: example.removed, adding: example.added.map { (name: $0.0, value: $0.1) })
        let expected = (example.result + [""]).map { "\($0)\r\n" }.joined()
        #expect(Self.edited(example.lines, edits) == expected)
        #expect(edits.isEmpty == (example.removed.isEmpty && example.added.isEmpty))
    }

    @Test(arguments: 1...20)
    func `any edits do what lines of text would`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let long = String(repeating: "n", count: 65)
        let names = ["a", "B", "ab", "Host", "x-a", "X_A", "X-B", long, "_", "x-forwarded-for"]
        for _ in 0..<500 {
            let fields = (0..<random.below(12)).map { _ in names[random.below(names.count)] }
            let removed = (0..<random.below(4)).map { _ in names[random.below(names.count)] }
            let added = (0..<random.below(3)).map { (name: names[random.below(names.count)], value: "v\($0)") }
            func read(_ name: some StringProtocol) -> String { name.lowercased().replacing("_", with: "-") }
            let gone = Set(removed.map { read($0) })
            let lines = fields.enumerated().map { "\($1): \($0)" }
            let kept = lines.filter { line in !gone.contains(read(line.prefix { $0 != ":" })) }
            let expected = (["S"] + kept + added.map { "\($0.name): \($0.value)" } + [""]).map { "\($0)\r\n" }.joined()
            #expect(Self.edited(["S"] + lines, FieldEdits(removing: removed, adding: added)) == expected)
        }
    }

    @Test func `what does not fit is left out and said`() {
        let edits = FieldEdits(removing: ["a"], adding: [("b", "c")])
        // The line that goes makes room.
        #expect(Self.edited(["S", "a: 1"], edits, spare: -6) == "S\r\nb: c\r\n\r\n")
        #expect(Self.edited(["S", "x: 1"], edits, spare: -6) == nil)
    }

    @Test(arguments: [("b c", "1"), ("", "1"), ("b", "1\r\nc: 2"), ("b", "\0")])
    func `what is no field is never added`(name: String, value: String) async {
        await #expect(processExitsWith: .failure) { [name, value] in
            _ = FieldEdits(adding: [(name: name, value: value)])
        }
    }
}
