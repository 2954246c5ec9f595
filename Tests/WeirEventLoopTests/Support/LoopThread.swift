// SPDX-License-Identifier: Apache-2.0
// A loop on a thread of its own, as the server runs it.

import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics

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
        let box = AnswerBox<Value>()
        loop.submit { box.value.withLock { [value = body($0)] in $0 = value } }
        eventually("the loop answers") { box.value.withLock { $0 != nil } }
        return box.value.withLock { $0 }
    }

    private final class AnswerBox<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}
