// SPDX-License-Identifier: Apache-2.0
// The state of one connection's descriptor, in a slot of its loop's table. Owned by the loop, touched by its thread
// alone.

/// A slot of the channel table. The timer node is the first field, so the node's address is the state's address.
struct ChannelState {
    // What every event touches comes first: two cache lines for each of many connections.
    var timer = TimerNode()
    var events: UnsafePointer<ChannelEvents>?
    var context: UnsafeMutableRawPointer?
    /// Output of the protocol in the order in which it is sent. Of a channel with a transform, what that has not taken:
    /// `queuedBytes` and `sentBytes` count on the protocol's side of it.
    var outputHead: Buffer?
    var outputTail: Buffer?
    var queuedBytes = 0
    var sentBytes: UInt64 = 0
    /// The instant at which the protocol wants `timedOut`; `.max` for never. The node may be armed for an earlier tick.
    var deadline: Nanoseconds = .max
    /// Since when nothing is in progress; `.max` while something is.
    var idleSince: Nanoseconds = .max
    /// Received bytes that the protocol has not taken yet.
    var carry: Buffer?
    /// What stands between the socket and the protocol; nil where they speak the same.
    var transform: UnsafeMutablePointer<TransformState>?
    var descriptor: Int32 = -1
    /// Moves on each time the slot is freed, so that events and handles of the past are recognised.
    var generation: UInt32 = 0
    var slot: UInt32
    var phase: ChannelPhase = .free
    var input: InputState = .drained
    /// False from a send that the kernel cut short until it reports room.
    var isWritable = true
    /// An event said that the peer has ended: a short receive does not mean that nothing follows.
    var hasPeerEnded = false
    var isPaused = false
    var isNew = false
    var isScheduled = false
    /// A send was cut short since the last `drained`.
    var owesDrained = false
    /// Our side ends when the output has gone.
    var endsOutput = false
    /// The connection has been asked for and does not stand yet.
    var isConnecting = false
    /// We connected it: it is no client's.
    var isOutbound = false
    /// The connection is broken, and what came before that is still being delivered.
    var hasFailed = false

    /// The next free slot, or the next channel of the ready or reaping list.
    var nextSlot: UInt32 = .max
    var lingeredBytes: UInt32 = 0
    /// While finishing: the timeout, how much must be acknowledged in each, and how much was when the present one began.
    var finishTimeout: Nanoseconds = 0
    var finishBytesMin: UInt64 = 0
    var finishAcknowledged: UInt64 = 0

    init(slot: UInt32) {
        self.slot = slot
    }
}

/// The life of a channel, in order; none goes back but `free` to `open`.
enum ChannelPhase: UInt8 {
    case free
    case open
    /// Output is sent to its end, input is no longer delivered.
    case finishing
    /// All is sent and our side is shut; input is discarded until the peer ends too.
    case lingering
    /// Waits for the end of the turn to be reaped.
    case closed
}

/// What is known of the receiving side.
enum InputState: UInt8 {
    /// A receive came up short: nothing until the next event.
    case drained
    /// There may be bytes to receive.
    case ready
    /// The peer ended, which the protocol has still to be told.
    case endPending
    /// The peer ended and the protocol knows.
    case ended
}
