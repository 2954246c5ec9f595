// SPDX-License-Identifier: Apache-2.0
// A thread of our own: loops and workers run on these, never on a shared pool.

import Glibc

/// A started thread, which must be joined or is detached when the handle goes.
package struct SystemThread: ~Copyable, @unchecked Sendable {
    private let thread: pthread_t

    /// Starts a thread that runs `body` and ends.
    /// - Throws: `SystemCallError` when the kernel gives no thread (`pids.max`, memory).
    package static func start(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) -> SystemThread {
        let box = Unmanaged.passRetained(ThreadBody(body))
        var thread = pthread_t()
        let error = pthread_create(&thread, nil, threadEntry, box.toOpaque())
        guard error == 0 else {
            box.release()
            throw SystemCallError("pthread_create", errno: error)
        }
        return SystemThread(running: thread)
    }

    private init(running thread: pthread_t) {
        self.thread = thread
    }

    /// Waits until the thread has ended.
    package consuming func join() {
        pthread_join(thread, nil)
        discard self
    }

    deinit {
        pthread_detach(thread)
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// A global function on purpose: a closure written in main-actor code would carry an isolation check that traps here.
private nonisolated func threadEntry(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}
