// SPDX-License-Identifier: Apache-2.0
// One entry of the timer wheel. Nodes live inside what they time (a channel's state, a LoopTimer), so arming one
// allocates nothing.

/// A doubly linked entry of a `TimerWheel`; `next == nil` means that it is not armed.
package struct TimerNode {
    var next: UnsafeMutablePointer<TimerNode>?
    var previous: UnsafeMutablePointer<TimerNode>?
    var dueTick: UInt64 = 0
    /// The `LoopTimer` that owns this node, or nil when a channel's state does.
    var timer: UnsafeMutableRawPointer?

    package init(timer: UnsafeMutableRawPointer? = nil) {
        self.timer = timer
    }

    package var isArmed: Bool { next != nil }

    /// The tick at which an armed node fires.
    package var due: UInt64 { dueTick }
}
