// SPDX-License-Identifier: Apache-2.0
// How a loop calls up: one concrete table of functions per protocol (HTTP/1.1 server, upstream connection, tunnel).

/// What a protocol does when something happens to one of its channels.
///
/// All run on the loop's thread, never inside one another for the same channel, and none captures anything: state is
/// reached through `Channel.context`.
package struct ChannelEvents: Sendable {
    /// A connection that `connect` began stands, or one with a transform is established; output goes out from now on. It
    /// comes once, before `received`. One that fails is told by `closed` alone.
    package var connected: @Sendable (EventLoop, Channel) -> Void
    /// Bytes have come. They are valid during the call. The answer is how many from the front were taken; what is left
    /// is kept by the channel and delivered again, in front of what comes next, or at `resume` if the call paused.
    package var received: @Sendable (EventLoop, Channel, UnsafeRawBufferPointer) -> Int
    /// The peer has ended its side; nothing more is received. Sending still works.
    package var ended: @Sendable (EventLoop, Channel) -> Void
    /// The peer has ended its side, which `ended` will tell behind what a pause keeps. May come more than once.
    package var endedWhilePaused: @Sendable (EventLoop, Channel) -> Void
    /// The kernel took less than it was given: output waits for the peer to read. `drained` follows.
    package var blocked: @Sendable (EventLoop, Channel) -> Void
    /// The output that was queued has gone to the kernel, after it had been more than the kernel took at once.
    package var drained: @Sendable (EventLoop, Channel) -> Void
    /// The instant set by `setDeadline` has passed.
    package var timedOut: @Sendable (EventLoop, Channel) -> Void
    /// The channel is gone: the last call, after which the handle is dead. It comes exactly once.
    package var closed: @Sendable (EventLoop, Channel, CloseReason) -> Void

    package init(
        connected: @escaping @Sendable (EventLoop, Channel) -> Void = { _, _ in },
        received: @escaping @Sendable (EventLoop, Channel, UnsafeRawBufferPointer) -> Int,
        ended: @escaping @Sendable (EventLoop, Channel) -> Void,
        endedWhilePaused: @escaping @Sendable (EventLoop, Channel) -> Void = { _, _ in },
        blocked: @escaping @Sendable (EventLoop, Channel) -> Void,
        drained: @escaping @Sendable (EventLoop, Channel) -> Void,
        timedOut: @escaping @Sendable (EventLoop, Channel) -> Void,
        closed: @escaping @Sendable (EventLoop, Channel, CloseReason) -> Void
    ) {
        self.connected = connected
        self.received = received
        self.ended = ended
        self.endedWhilePaused = endedWhilePaused
        self.blocked = blocked
        self.drained = drained
        self.timedOut = timedOut
        self.closed = closed
    }
}

/// Why a channel ended.
package enum CloseReason: Sendable {
    /// The protocol closed it.
    case requested
    /// The peer reset it, or the network failed.
    case failed
    /// Descriptors ran short and it was among the longest idle.
    case shed
    /// The loop stopped.
    case stopped
}
