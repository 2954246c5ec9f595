// SPDX-License-Identifier: Apache-2.0
// What a loop's thread owns. It lives behind one pointer, so that no access pays a run-time exclusivity check.

import CWeirSystem

/// The thread-confined state of an `EventLoop`.
package struct LoopCore: ~Copyable {
    var poller: Poller
    var hooks = LoopHooks()
    var timers: TimerWheel
    var channels = ChannelTable()
    var buffers = BufferPool()
    var watches = WatchTable()
    var listeners: [Listener] = []
    /// The executor's jobs that were enqueued on this thread.
    var jobs = JobQueue()
    /// Channels to read at the end of the turn, and the list that is being worked off.
    var scheduled: [UInt32] = []
    var reading: [UInt32] = []
    var reaping: [(slot: UInt32, reason: CloseReason)] = []
    /// Counts the turns, from the end of one wait to the end of the next.
    var turnNumber: UInt64 = 0
    /// When the last round of jobs ended.
    var jobsEnded: Nanoseconds = 0
    /// The hook before the jobs has something to do.
    var hasWork = false
    /// The listeners are open; they stay in the table when they are closed, for connections that are handed over.
    var isListening = true
    var isAcceptPaused = false
    /// The longest-idle channels are to be closed at the end of the turn.
    var shedsIdle = false
    var isStopping = false
    var acceptTimer: LoopTimer?
    /// What the kernel holds for each connection in each direction; 0 where that does not follow their number.
    var socketBytes = 0
    /// Handshakes of transforms that are still worked on in this turn: with clients, and with servers.
    var handshakesLeft = 0
    var outboundHandshakesLeft = 0
    /// The list of channels to read is being worked off.
    var isReadingScheduled = false
    /// What transforms write to; made for the first.
    var plainBuffer: UnsafeMutableRawPointer?
    let events: UnsafeMutablePointer<weir_event>
    let receiveBuffer: UnsafeMutableRawPointer

    init(poller: Poller, now: Nanoseconds) {
        self.poller = poller
        timers = TimerWheel(tick: now / EventLoop.tickNanoseconds)
        events = .allocate(capacity: EventLoop.eventsPerTurnMax)
        receiveBuffer = .allocate(byteCount: EventLoop.receiveBufferCount, alignment: 64)
    }

    deinit {
        events.deallocate()
        receiveBuffer.deallocate()
        plainBuffer?.deallocate()
    }
}
