// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

@Suite("TraceParent") struct TraceParentTests {
    static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private func read(_ text: String) -> TraceParent? {
        TraceParent(Array(text.utf8).span)
    }

    private func text(_ parent: TraceParent) -> String {
        var bytes = [UInt8](repeating: 0, count: 100)
        return bytes.withUnsafeMutableBytes { memory in
            var writer = HeadWriter(memory)
            parent.write(into: &writer)
            let line = String(decoding: memory[..<writer.count], as: UTF8.self)
            #expect(line.hasPrefix("traceparent: ") && line.hasSuffix("\r\n"))
            return String(line.dropFirst(13).dropLast())
        }
    }

    @Test("The specification's example is read and written")
    func example() throws {
        let parent = try #require(read(Self.example))
        #expect(parent.traceIDUpper == 0x4bf9_2f35_77b3_4da6)
        #expect(parent.traceIDLower == 0xa3ce_929d_0e0e_4736)
        #expect(parent.parentID == 0x00f0_67aa_0ba9_02b7)
        #expect(parent.flags == 1)
        #expect(parent.isSampled)
        #expect(text(parent) == Self.example)
    }

    @Test(
        "Values that are right",
        arguments: [
            ("00-00000000000000000000000000000001-0000000000000001-00", 0),
            ("00-80000000000000000000000000000000-8000000000000000-ff", 0xFF),
            // Of a later version the front is read, and only the sampled flag.
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", 1),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", 1),
            ("fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe-", 0),
        ]
    )
    func right(value: String, flags: UInt8) throws {
        let parent = try #require(read(value))
        #expect(parent.flags == flags)
        #expect(text(parent).prefix(52).dropFirst(2) == value.prefix(52).dropFirst(2))
        #expect(text(parent).hasPrefix("00-"))
    }

    @Test(
        "Values that are wrong",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        ]
    )
    func wrong(value: String) {
        #expect(read(value) == nil)
    }

    @Test("A byte that does not belong where it stands makes the value wrong", arguments: 0..<55)
    func foreignByte(index: Int) {
        let isDash = [2, 35, 52].contains(index)
        for byte in UInt8.min...UInt8.max {
            var bytes = Array(Self.example.utf8)
            bytes[index] = byte
            let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
            let isRight = isDash ? byte == UInt8(ascii: "-") : isHex
            // Of versions one digit becomes f at most, and ff alone is wrong.
            let isRead = TraceParent(bytes.span) != nil
            if isRead != isRight { Issue.record("byte \(byte) at \(index): \(isRead)") }
        }
    }

    @Test("A child has the trace, a parent of its own, and the flags that mean something")
    func child() throws {
        let parent = try #require(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"))
        #expect(text(parent.child(randomParentID: 7)) == "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-03")
        #expect(parent.child(randomParentID: 0).parentID == 1)
        let unsampled = try #require(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
        #expect(unsampled.child(randomParentID: 7).flags == 0)
    }

    @Test("A new trace is never the invalid one")
    func new() {
        let zero = TraceParent(randomTraceID: (0, 0), randomParentID: 0, isSampled: false)
        #expect(text(zero) == "00-00000000000000000000000000000001-0000000000000001-00")
        #expect(read(text(zero)) == zero)
        let upper = TraceParent(randomTraceID: (2, 0), randomParentID: 3, isSampled: true)
        #expect(text(upper) == "00-00000000000000020000000000000000-0000000000000003-01")
        #expect(read(text(upper)) == upper)
    }

    @Test("What is written is read again")
    func roundTrip() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<1000 {
            let parent = TraceParent(
                randomTraceID: (random.next(), random.next()),
                randomParentID: random.next(),
                isSampled: random.oneIn(2)
            )
            #expect(read(text(parent)) == parent)
        }
    }

    @Test("The field is written whole or not at all")
    func field() throws {
        let parent = try #require(read(Self.example))
        let line = "traceparent: \(Self.example)\r\n"
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 128, alignment: 8)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        parent.write(into: &writer)
        #expect(String(decoding: memory[..<writer.count], as: UTF8.self) == line)
        var small = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: memory[..<(line.utf8.count - 1)]))
        parent.write(into: &small)
        let overflowed = small.overflowed
        #expect(overflowed)
    }
}
