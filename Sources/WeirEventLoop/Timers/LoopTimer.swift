// SPDX-License-Identifier: Apache-2.0
// A timer that is not a connection's: sleeping handlers, retries of accepting, periodic work of a loop.

/// Calls `fire` on the loop's thread at an instant; confined to that thread.
///
/// The loop holds no reference while it is armed: the owner keeps it, and must cancel it before letting it go.
package final class LoopTimer {
    let node: UnsafeMutablePointer<TimerNode>
    let fire: (EventLoop) -> Void
    /// When it is to fire; the wheel may be early for instants that are days away.
    var instant: Nanoseconds = 0

    package init(_ fire: @escaping (EventLoop) -> Void) {
        self.fire = fire
        node = .allocate(capacity: 1)
        node.initialize(to: TimerNode())
        node.pointee.timer = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        precondition(!node.pointee.isArmed, "a timer was let go while armed")
        node.deallocate()
    }
}
