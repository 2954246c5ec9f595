// SPDX-License-Identifier: Apache-2.0
// Things that handlers and tests share.

import Glibc
import Synchronization
import Weir

/// Holds threads until it is opened.
final class Gate: Sendable {
    private let waiting = Atomic<Int>(0)
    private let isOpen = Atomic<Bool>(false)

    var waitingCount: Int { waiting.load(ordering: .acquiring) }

    /// Blocks the calling thread until the gate is open, at most for half a minute.
    func pass() {
        waiting.wrappingAdd(1, ordering: .releasing)
        for _ in 0..<60_000 where !isOpen.load(ordering: .acquiring) { usleep(500) }
    }

    var hasOpened: Bool { isOpen.load(ordering: .acquiring) }

    func open() { isOpen.store(true, ordering: .releasing) }
}

/// Requests that outlive their handlers.
final class KeptRequests: Sendable {
    private let requests = Mutex<[Request]>([])

    var all: [Request] { requests.withLock { $0 } }

    func append(_ request: Request) { requests.withLock { $0.append(request) } }
    func removeAll() { requests.withLock { $0 = [] } }
}

/// Notes of what happened, in order.
final class Notes: Sendable {
    private let notes = Mutex<[String]>([])

    var all: [String] { notes.withLock { $0 } }

    func add(_ note: String) { notes.withLock { $0.append(note) } }
}
