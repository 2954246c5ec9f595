// SPDX-License-Identifier: Apache-2.0
// Runs a piece of a test on several threads at once.

import Glibc
import Synchronization

/// Returns when all threads have. They begin together.
package func inThreads(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
    let work = ThreadWork(count, body)
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(work).toOpaque()
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<ThreadWork>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            },
            argument
        )
        precondition(status == 0, "no thread")
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadWork: Sendable {
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
