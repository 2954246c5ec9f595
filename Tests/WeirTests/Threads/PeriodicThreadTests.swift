// SPDX-License-Identifier: Apache-2.0
// The life of a thread that takes steps: it begins, goes on, and ends when it is asked to.

import Synchronization
import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(1))) struct PeriodicThreadTests {
    /// What a body has done.
    private final class Steps: Sendable {
        private let taken = Atomic<Int>(0)
        private let names = Mutex<Set<String>>([])
        private let isOver = Atomic<Bool>(false)

        var count: Int { taken.load(ordering: .acquiring) }
        var threads: Set<String> { names.withLock { $0 } }

        var hasReturned: Bool { isOver.load(ordering: .acquiring) }
        func end() { isOver.store(true, ordering: .releasing) }

        func take() {
            _ = names.withLock { $0.insert(threadName()) }
            taken.wrappingAdd(1, ordering: .releasing)
        }
    }

    /// Longer than a test may take: what waits for it all fails.
    private static let forEver = Duration.seconds(3600)

    @Test func `steps follow each other on a thread of its own until it is asked to end`() async throws {
        let (thread, steps) = (PeriodicThread("weir-test", every: .microseconds(100)), Steps())
        try thread.start {
            while thread.awaitStep() { steps.take() }
            steps.end()
        }
        #expect(await eventuallyTrue { steps.count >= 3 })
        thread.end(grace: Self.forEver)
        #expect(steps.hasReturned)
        #expect(steps.threads == ["weir-test"])
        #expect(!thread.awaitStep())
    }

    @Test func `a wait is no longer than until the end`() throws {
        let (thread, steps) = (PeriodicThread("weir-test", every: Self.forEver), Steps())
        try thread.start { while thread.awaitStep() { steps.take() } }
        thread.end(grace: Self.forEver)
        #expect(steps.count == 0)
    }

    @Test func `a step that hangs is left to itself`() async throws {
        let (thread, gate, steps) = (PeriodicThread("weir-test", every: .zero), Gate(), Steps())
        try thread.start {
            while thread.awaitStep() {
                gate.pass()
                steps.take()
            }
        }
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        thread.end(grace: .zero)
        #expect(steps.count == 0)
        gate.open()
        thread.end(grace: Self.forEver)
        #expect(steps.count == 1)
    }

    @Test func `one that was asked to end before its start begins nothing`() throws {
        let (thread, steps) = (PeriodicThread("weir-test", every: .zero), Steps())
        thread.end(grace: Self.forEver)
        try thread.start { steps.take() }
        thread.end(grace: Self.forEver)
        #expect(steps.count == 0)
    }
}
