// SPDX-License-Identifier: Apache-2.0
// What stands between a channel's socket and its protocol, and turns the bytes of the one into those of the other: TLS.
// The loop knows it as a table of functions. All run on the loop's thread.

/// What a transform does when bytes pass. It captures nothing; its state is what each function gets first.
package struct ChannelTransform: Sendable {
    /// A connection that `connect` began stands: whoever speaks first does so, by `sendTransformed`.
    package var started: @Sendable (UnsafeMutableRawPointer) -> Void
    /// Takes all bytes that the peer has sent, and writes what they say to the target, which has room for their count and
    /// `roomBeyondInput`. What the peer is to be told for it goes out by `sendTransformed`.
    package var received:
        @Sendable (UnsafeMutableRawPointer, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> TransformReceipt
    /// Turns bytes of the protocol into output, all of them, by `sendTransformed`; false where it cannot.
    package var send: @Sendable (UnsafeMutableRawPointer, UnsafeRawBufferPointer) -> Bool
    /// Tells the peer, by `sendTransformed`, that nothing follows.
    package var ended: @Sendable (UnsafeMutableRawPointer) -> Void
    /// The channel is gone: the last call.
    package var released: @Sendable (UnsafeMutableRawPointer) -> Void

    /// The most that `received` writes beyond the count of its input: what was kept of an unfinished record. A session
    /// of TLS checks that it has as much as it needs.
    package static let roomBeyondInput = 17 << 10

    package init(
        started: @escaping @Sendable (UnsafeMutableRawPointer) -> Void,
        received:
            @escaping @Sendable (UnsafeMutableRawPointer, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer)
            -> TransformReceipt,
        send: @escaping @Sendable (UnsafeMutableRawPointer, UnsafeRawBufferPointer) -> Bool,
        ended: @escaping @Sendable (UnsafeMutableRawPointer) -> Void,
        released: @escaping @Sendable (UnsafeMutableRawPointer) -> Void
    ) {
        self.started = started
        self.received = received
        self.send = send
        self.ended = ended
        self.released = released
    }
}

/// What became of received bytes.
package struct TransformReceipt: Sendable {
    package enum Outcome: Sendable {
        case open
        /// The peer has said that nothing follows.
        case ended
        /// The peer speaks something else, or cannot be agreed with.
        case failed
    }

    /// Bytes for the protocol that were written.
    package var count: Int
    /// Both sides have agreed how to speak: the protocol may send, and what was written is for it.
    package var isEstablished: Bool
    package var outcome: Outcome

    package init(count: Int, isEstablished: Bool, outcome: Outcome) {
        self.count = count
        self.isEstablished = isEstablished
        self.outcome = outcome
    }
}

/// The loop's side of a transform, one for each channel that has one.
struct TransformState {
    let functions: UnsafePointer<ChannelTransform>
    let context: UnsafeMutableRawPointer
    /// What the transform has written and the kernel has not taken, in the order in which it is sent.
    var head: Buffer?
    var tail: Buffer?
    var queuedBytes = 0
    /// What the kernel has taken.
    var sentBytes: UInt64 = 0
    var phase = TransformPhase.opening
    /// Since the connection was idle: how much the protocol has sent, and when it did last.
    var burstBytes = 0
    var lastSent: Nanoseconds = 0
    var wasDelayed = false
    /// The peer's side of the socket has ended without its saying so before, when there was nothing left for it, and its
    /// protocol ends at once. It is told no end in return, though RFC 8446 section 6.1 has each side tell its own: who has
    /// closed its socket, as nearly all such peers have, would answer that by a reset.
    var hasPeerLeft = false
}

/// The life of a transform, in order.
enum TransformPhase: UInt8 {
    /// The two sides are agreeing how to speak; what the protocol gives waits.
    case opening
    case established
    /// The peer has been told that nothing follows, or has left.
    case ended
    /// Nothing can be sent but what is queued.
    case failed
}
