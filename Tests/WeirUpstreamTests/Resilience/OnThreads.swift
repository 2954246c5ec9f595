// SPDX-License-Identifier: Apache-2.0
// Runs a piece of a test on several threads at once.

import Glibc
import Synchronization

/// Returns when all threads have. They begin together.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
    let work = SharedWork(count, body)
    let threads = (0..<count).map { _ in
        var thread = pthread_t()
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<SharedWork>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(work).toOpaque()
        )
        precondition(status == 0, "no thread")
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class SharedWork: Sendable {
    private let count: Int
    private let body: @Sendable (Int) -> Void
    private let arrived = Atomic<Int>(0)

    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.body = body
    }

    func run() {
        let number = arrived.add(1, ordering: .acquiringAndReleasing).oldValue
        while arrived.load(ordering: .acquiring) < count { sched_yield() }
        body(number)
    }
}
