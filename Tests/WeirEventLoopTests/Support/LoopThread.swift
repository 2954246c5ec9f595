// SPDX-License-Identifier: Apache-2.0
// A loop on a thread of its own, as the server runs it.

import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

/// A running event loop; ended and joined by `stop`.
final class LoopThread: Sendable {
    let loop: EventLoop
    private let thread: Mutex<SystemThread?>

    init(index: Int = 0, name: String = "test-loop", prepare: (EventLoop) throws -> Void = { _ in }) throws {
        let loop = try EventLoop(index: index, name: name, metrics: MetricsShard())
        try prepare(loop)
        self.loop = loop
        thread = Mutex(try SystemThread.start { loop.run() })
    }

    /// Ends the loop; everything that it did has happened before this returns.
    func stop() {
        loop.stop()
        let thread = thread.withLock { $0.take() }
        if let thread { thread.join() }
    }

    /// Runs `body` on the loop's thread and waits for its answer.
    func read<Value: Sendable>(_ body: @escaping @Sendable (EventLoop) -> Value) -> Value? {
        let answer = Answer<Value>()
        loop.submit { answer.give(body($0)) }
        eventually("the loop answers") { answer.isThere }
        return answer.isThere ? answer.value : nil
    }

    /// `@unchecked Sendable`: the value is written before the flag is released and read after it was acquired.
    private final class Answer<Value: Sendable>: @unchecked Sendable {
        private(set) var value: Value?
        private let given = Atomic<Bool>(false)

        var isThere: Bool { given.load(ordering: .acquiring) }

        func give(_ value: Value) {
            self.value = value
            given.store(true, ordering: .releasing)
        }
    }
}
