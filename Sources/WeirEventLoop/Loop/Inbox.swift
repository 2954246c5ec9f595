// SPDX-License-Identifier: Apache-2.0
// How other threads reach a loop: messages under a mutex, and an eventfd that is written only if the loop sleeps.

import CWeirSystem
import Glibc
import Synchronization

/// Something for a loop to do.
///
/// `@unchecked Sendable`: whoever sends a `function` gives its argument up with the message.
package enum Message: @unchecked Sendable {
    package typealias Function = @Sendable (EventLoop, UnsafeMutableRawPointer) -> Void

    case closure(@Sendable (EventLoop) -> Void)
    case function(Function, UnsafeMutableRawPointer)
    case job(UnownedJob)
    case adopt(descriptor: Int32, listener: Int, address: SocketAddress)
}

/// A loop's inbox. `push` may be called by any thread; the rest belongs to the loop's thread.
///
/// Wake-up protocol: the loop stores `sleeping`, then looks whether messages wait, and only then sleeps. A sender
/// stores its message, then exchanges the state for `awake`; if that was `sleeping`, it writes the eventfd. Both use
/// sequentially consistent operations, so at least one of the two sees the other, and no message waits for a sleeping
/// loop.
final class Inbox: Sendable {
    private enum State {
        static let awake: UInt8 = 0
        static let sleeping: UInt8 = 1
    }

    private struct Queue {
        var messages: [Message] = []
        var spare: [Message] = []
    }

    let descriptor: Int32
    private let queue = Mutex(Queue())
    private let waiting = Atomic<Int>(0)
    private let state = Atomic<UInt8>(State.awake)

    init() throws(SystemCallError) {
        descriptor = weir_eventfd()
        guard descriptor >= 0 else { throw SystemCallError("eventfd", errno: errno) }
    }

    deinit {
        // Connections that were handed over when the loop had ended.
        let messages = queue.withLock { $0.messages }
        for case .adopt(let connection, _, _) in messages { _ = close(connection) }
        _ = close(descriptor)
    }

    func push(_ message: Message) {
        queue.withLock { $0.messages.append(message) }
        waiting.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if state.exchange(State.awake, ordering: .sequentiallyConsistent) == State.sleeping {
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }
    }

    /// Says whether the loop may sleep: nothing waits, and from now on senders wake it.
    func beginSleep() -> Bool {
        state.store(State.sleeping, ordering: .sequentiallyConsistent)
        if waiting.load(ordering: .sequentiallyConsistent) == 0 { return true }
        state.store(State.awake, ordering: .sequentiallyConsistent)
        return false
    }

    func endSleep() {
        state.store(State.awake, ordering: .relaxed)
    }

    func clearWake() {
        var value: UInt64 = 0
        _ = read(descriptor, &value, 8)
    }

    /// Whether something was sent that `drain` would do; relaxed, because the mutex there orders the rest.
    var hasMessages: Bool { waiting.load(ordering: .relaxed) > 0 }

    /// Does what was sent until now, in order.
    func drain(on loop: EventLoop) {
        var messages = queue.withLock { queue in
            let messages = queue.messages
            queue.messages = queue.spare
            queue.spare = []
            return messages
        }
        waiting.wrappingSubtract(messages.count, ordering: .sequentiallyConsistent)
        for message in messages {
            switch message {
            case .closure(let body): body(loop)
            case .function(let run, let argument): run(loop, argument)
            case .job(let job): loop.core.pointee.jobs.push(job)
            case .adopt(let descriptor, let listener, let address):
                loop.takeOver(descriptor: descriptor, listener: listener, address: address)
            }
        }
        messages.removeAll(keepingCapacity: true)
        queue.withLock { [messages] in if $0.spare.capacity < messages.capacity { $0.spare = messages } }
    }
}
