// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import Synchronization
import Testing
import Weir

@Suite struct RecordWriterTests {
    private static func line(_ message: String) -> LogLine {
        LogLine(time: LogTimestamp(milliseconds: 0), level: .info, logger: "w", message: message, fields: [])
    }

    /// What was delivered; it can be held up.
    private final class Journal: Sendable {
        private let messages = Mutex<[String]>([])
        private let isOpen = Atomic<Bool>(true)
        private let isBusy = Atomic<Bool>(false)

        var all: [String] { messages.withLock { $0 } }
        func setOpen(_ value: Bool) { isOpen.store(value, ordering: .releasing) }
        var isHeld: Bool { isBusy.load(ordering: .acquiring) }

        func take(_ line: LogLine) -> Bool {
            isBusy.store(true, ordering: .releasing)
            while !isOpen.load(ordering: .acquiring) { sched_yield() }
            messages.withLock { $0.append(line.message) }
            return true
        }
    }

    @Test func `events are delivered in their order, all before the end`() throws {
        let journal = Journal()
        let writer = try RecordWriter { journal.take($0) }
        let messages = (0..<1000).map { "m\($0)" }
        for message in messages { #expect(writer.write(Self.line(message))) }
        writer.close(timeout: .seconds(20))
        #expect(journal.all == messages)
        #expect(writer.droppedLines == 0)
        #expect(!writer.write(Self.line("late")))
        #expect(writer.droppedLines == 1)
    }

    @Test func `what does not fit is dropped and counted, and nobody waits`() async throws {
        let journal = Journal()
        journal.setOpen(false)
        let writer = try RecordWriter(capacity: 10_000) { journal.take($0) }
        writer.write(Self.line("first"))
        #expect(await eventuallyTrue { journal.isHeld })
        var taken = 1
        for _ in 0..<1000 where writer.write(Self.line("more")) { taken += 1 }
        #expect((2..<1000).contains(taken))
        #expect(writer.droppedLines == UInt64(1001 - taken))
        journal.setOpen(true)
        writer.close(timeout: .seconds(20))
        #expect(journal.all.count == taken)
    }

    @Test func `an event that is not delivered is counted`() throws {
        let writer = try RecordWriter { _ in false }
        writer.write(Self.line("lost"))
        writer.close(timeout: .seconds(20))
        #expect(writer.droppedLines == 1)
    }

    @Test func `closing does not wait for ever`() async throws {
        let journal = Journal()
        journal.setOpen(false)
        let writer = try RecordWriter { journal.take($0) }
        writer.write(Self.line("held"))
        #expect(await eventuallyTrue { journal.isHeld })
        writer.write(Self.line("given up"))
        writer.close(timeout: .zero)
        journal.setOpen(true)
        #expect(await eventuallyTrue { writer.droppedLines == 1 })
        #expect(journal.all == ["held"])
    }
}
