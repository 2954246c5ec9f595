// SPDX-License-Identifier: Apache-2.0
// One thread that owns connections, timers and buffers, and runs what belongs to them. Everything in `core` is
// touched by that thread alone; other threads reach a loop through its inbox.

import CWeirSystem
import Glibc
public import Synchronization
package import WeirMetrics

/// An event loop, which is also the executor of the tasks that belong to its connections.
///
/// `@unchecked Sendable`: `core` is confined to the thread that calls `run`, from then on; the rest is atomics, the
/// inbox's mutex, and constants.
@usableFromInline
package final class EventLoop: @unchecked Sendable {
    static let tickNanoseconds: Nanoseconds = 1_000_000
    static let eventsPerTurnMax = 256
    /// A body of 64 KiB fits with the head in front of it.
    package static let receiveBufferCount = 68 << 10
    static let outputBufferCount = 16384 - 32
    /// What is received at once where buffers are short: with a chunk's framing it fits into the smallest of them.
    static let smallReceiveCount = BufferBudget.smallPieceBytes
    static let smallOutputBufferCount = BufferPool.smallestByteCount - Buffer.headerByteCount
    /// A loop looks around at least this often, so that "has not turned for" means something.
    private static let waitMillisecondsMax: UInt64 = 1000

    private static let lastRoundsMax = 1000

    package let index: Int
    package let clock: LoopClock
    package let metrics: MetricsShard
    let core: UnsafeMutablePointer<LoopCore>
    let inbox: Inbox
    private let name: String
    /// The CPU that its thread is pinned to.
    package let pinnedTo: Int?
    /// Set before the loop has connections, constant from then on.
    package var acceptPolicy: AcceptPolicy?
    /// How many handshakes of transforms are worked on in one turn, with clients and as many with servers, at least 1;
    /// set before the loop runs.
    package var handshakesPerTurn = 8

    /// The instant of the present or last turn, which the liveness check reads as well; relaxed, it publishes nothing.
    @usableFromInline let turnInstant: Atomic<UInt64>
    /// Connections of clients that are open, for the choice of the least-loaded loop; relaxed.
    private let openChannels = Atomic<Int>(0)
    /// Connections that we made, for how many descriptors are in use; relaxed.
    private let outboundChannels = Atomic<Int>(0)
    /// Connections that were handed over to this loop and have not arrived; relaxed.
    let incomingChannels = Atomic<Int>(0)
    /// The kernel's number of the thread, 0 before it runs; relaxed, it publishes nothing.
    private let thread = Atomic<Int32>(0)
    /// Set when the thread has ended; released there, acquired by `hasEnded`.
    private let ended = Atomic<Bool>(false)

    /// - Throws: `SystemCallError` when the kernel gives no descriptor for the wake-up or the poller.
    package init(
        index: Int,
        name: String,
        metrics: MetricsShard,
        clock: LoopClock = .monotonic,
        poller: Poller? = nil,
        pinnedTo cpu: Int? = nil
    ) throws(SystemCallError) {
        self.index = index
        self.name = name
        self.metrics = metrics
        self.clock = clock
        self.pinnedTo = cpu
        // First, as it closes its descriptor by itself where none is left for the poller.
        inbox = try Inbox()
        let poller = if let poller { poller } else { Poller.epoll(try EpollPoller()) }
        core = .allocate(capacity: 1)
        let now = clock.now
        core.initialize(to: LoopCore(poller: poller, now: now))
        turnInstant = Atomic(now)
        try core.pointee.poller.add(inbox.descriptor, interest: .readable, token: Token.wake)
    }

    deinit {
        // Listeners of a loop that never ran.
        if core.pointee.isListening { for listener in core.pointee.listeners { listener.close() } }
        core.pointee.poller.close()
        core.deinitialize(count: 1)
        core.deallocate()
    }

    /// What the layer above is called for; set before the loop runs, constant from then on.
    package var hooks: LoopHooks {
        get { core.pointee.hooks }
        set { core.pointee.hooks = newValue }
    }

    // MARK: What other threads may ask

    /// Connections that are open on this loop or on their way to it.
    package var openChannelCount: Int {
        // In this order: one that arrives in between is counted twice rather than not at all. Pairs with `takeOver`.
        let incoming = incomingChannels.load(ordering: .acquiring)
        return openChannels.load(ordering: .relaxed) + incoming
    }

    /// Connections that this loop has made.
    package var outboundChannelCount: Int { outboundChannels.load(ordering: .relaxed) }

    /// The kernel's number of the loop's thread; 0 before it runs.
    package var threadID: Int32 { thread.load(ordering: .relaxed) }

    /// Whether the thread has ended.
    package var hasEnded: Bool { ended.load(ordering: .acquiring) }

    /// Waits for the end of a thread that was told to stop, until `instant` of the monotonic clock; whether it has ended.
    /// On another thread.
    package func awaitEnd(by instant: Nanoseconds) -> Bool {
        while !hasEnded, LoopClock.monotonic.now < instant { usleep(1000) }
        return hasEnded
    }

    /// How long ago the loop turned for the last time.
    package var sinceLastTurn: Nanoseconds {
        let last = now
        let present = clock.now
        return present > last ? present - last : 0
    }

    /// Runs `body` on the loop's thread, soon; from the thread itself in this turn or the next. Allocates the closure.
    package func submit(_ body: @escaping @Sendable (EventLoop) -> Void) {
        inbox.push(.closure(body))
    }

    /// As `submit`, with a function that captures nothing and an argument that the caller keeps alive; does not
    /// allocate.
    package func submit(_ run: @escaping Message.Function, _ argument: UnsafeMutableRawPointer) {
        inbox.push(.function(run, argument))
    }

    // MARK: On the loop's thread

    /// The instant of the present turn. Inlined elsewhere: a request asks for it ten times.
    @inlinable package var now: Nanoseconds { turnInstant.load(ordering: .relaxed) }

    /// The latest instant that is known without a look at the clock: the turn's, or that at which the last of its jobs
    /// ended.
    package var latest: Nanoseconds { max(now, core.pointee.jobsEnded) }

    /// The number of the present turn. Whatever an event of this turn reports has happened before the turn began.
    package var turnNumber: UInt64 { core.pointee.turnNumber }

    /// The instant of this call, later than `now`: for what must not wait for the next turn.
    package var instant: Nanoseconds { clock.now }

    /// Whether the calling thread is this loop's.
    package var isCurrent: Bool {
        weir_thread_loop() == UnsafeMutableRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    /// Whether the calling thread is some loop's.
    package static var isOnAnyLoop: Bool { weir_thread_loop() != nil }

    static func tick(notBefore instant: Nanoseconds) -> UInt64 {
        let (tick, rest) = instant.quotientAndRemainder(dividingBy: tickNanoseconds)
        return rest == 0 ? tick : tick + 1
    }

    /// Makes sure that the jobs' hook is called again before the loop waits.
    package func noteWork() {
        core.pointee.hasWork = true
    }

    /// What the loop holds for its connections is part of this. Before it runs.
    package func setBudget(_ budget: BufferBudget) {
        core.pointee.buffers.setBudget(budget)
    }

    /// How much the loop keeps for reuse. On the loop's thread, or before it runs.
    package func setRetainedBytesMax(_ bytes: Int) {
        core.pointee.buffers.setRetainedBytesMax(bytes)
    }

    /// Whether windows are small, because much is held for connections.
    package var isShortOfBuffers: Bool { core.pointee.buffers.isShort }

    /// The longest body that this loop and those that share its budget can ever hold whole.
    package var collectedBytesMax: Int { core.pointee.buffers.collectedBytesMax }

    /// Whether `bytes` more of what has to be kept whole may be held: as long as buffers are not short, and then where
    /// there is room.
    package func mayHold(_ bytes: Int) -> Bool { !isShortOfBuffers || hasRoom(toHold: bytes) }

    /// Whether so many bytes may be held besides, with what is kept back for each connection that there is.
    package func hasRoom(toHold bytes: Int) -> Bool {
        let room = core.pointee.buffers.room()
        if room == .max { return true }
        let connections = acceptPolicy?.connectionCount ?? openChannelCount + outboundChannelCount
        return bytes <= room - connections * BufferBudget.bytesPerConnection
    }

    /// A window of `full` bytes as large as it is now: any byte fills it where buffers are short.
    package func window(_ full: Int) -> Int { core.pointee.buffers.isShort ? 1 : full }

    /// Counts memory that is held for a connection outside of the loop's buffers.
    package func noteHeld(_ change: Int) {
        core.pointee.buffers.note(change)
    }

    /// Frees what is kept for reuse, because little will be used. On the loop's thread.
    package func releaseUnusedBuffers() {
        core.pointee.buffers.trim()
    }

    /// Runs the loop on the calling thread until it is told to stop.
    package func run() {
        weir_set_thread_loop(Unmanaged.passUnretained(self).toOpaque())
        weir_thread_name(name)
        thread.store(weir_thread_id(), ordering: .relaxed)
        if let pinnedTo { _ = weir_thread_pin(Int32(pinnedTo)) }
        while !core.pointee.isStopping { turn() }
        end()
        weir_set_thread_loop(nil)
        ended.store(true, ordering: .releasing)
    }

    /// One turn: wait, events and the jobs of each, what other threads sent, timers, jobs, what is left to read, the dead.
    package func turn() {
        let timeout = waitMilliseconds()
        // Only a loop that will really sleep has to be woken.
        let mayWait = timeout != 0 && inbox.beginSleep()
        let core = self.core
        let count = core.pointee.poller.wait(
            into: core.pointee.events,
            capacity: Self.eventsPerTurnMax,
            timeoutMilliseconds: mayWait ? timeout : 0
        )
        inbox.endSleep()
        core.pointee.turnNumber &+= 1
        turnInstant.store(clock.now, ordering: .relaxed)
        metrics.increment(.loopTurns)
        var index = 0
        while index < count {
            runJobs(of: { dispatch(core.pointee.events + index) })
            index += 1
        }
        if inbox.hasMessages { inbox.drain(on: self) }
        fireTimers()
        runJobs()
        readScheduled()
        runJobs()
        if core.pointee.shedsIdle { closeLongestIdle() }
        reap()
        core.pointee.hooks.turnEnded?(core.pointee.hooks.context)
        core.pointee.buffers.settle()
        metrics.set(.bufferBytes, core.pointee.buffers.heldBytes)
    }

    /// Ends the loop after this turn; every connection that is left is closed.
    package func stop() {
        submit { $0.core.pointee.isStopping = true }
    }

    private func waitMilliseconds() -> Int32 {
        if core.pointee.jobs.count > 0 || core.pointee.hasWork || !core.pointee.scheduled.isEmpty
            || core.pointee.isStopping
        {
            return 0
        }
        let tick = core.pointee.timers.idleUntilTick
        if tick == .max { return Int32(Self.waitMillisecondsMax) }
        let present = now / Self.tickNanoseconds
        return tick <= present ? 0 : Int32(min(tick - present, Self.waitMillisecondsMax))
    }

    private func dispatch(_ event: UnsafeMutablePointer<weir_event>) {
        let token = Token(weir_event_data(event))
        switch token.kind {
        case .channel:
            guard let state = core.pointee.channels.find(slot: token.slot, generation: token.generation) else { return }
            handle(event.pointee.flags, for: state)
        case .listener:
            accept(from: Int(token.slot))
        case .wake:
            inbox.clearWake()
        case .watch:
            tellWatch(token, event.pointee.flags)
        }
    }

    private func handle(_ flags: UInt32, for state: UnsafeMutablePointer<ChannelState>) {
        if state.pointee.isConnecting {
            guard finishConnecting(state, flags) else { return }
        }
        if flags & WEIR_EPOLLERR != 0 {
            fail(state)
            if state.pointee.phase == .open { read(state, deliversKept: true) }
            return
        }
        if flags & WEIR_EPOLLOUT != 0 { state.pointee.isWritable = true }
        let endFlags = WEIR_EPOLLRDHUP | WEIR_EPOLLHUP
        if flags & (WEIR_EPOLLIN | endFlags) != 0, state.pointee.input != .ended {
            if flags & endFlags != 0 { state.pointee.hasPeerEnded = true }
            state.pointee.input = .ready
            // What a pause kept comes before what is new, and before the end.
            read(state, deliversKept: state.pointee.isScheduled)
        }
        flush(state)
    }

    private func fireTimers() {
        let tick = now / Self.tickNanoseconds
        guard tick >= core.pointee.timers.idleUntilTick else { return }
        core.pointee.timers.advance(to: tick)
        while let node = core.pointee.timers.takeDue() {
            if let timer = node.pointee.timer {
                fire(Unmanaged<LoopTimer>.fromOpaque(timer).takeUnretainedValue())
                continue
            }
            let state = UnsafeMutableRawPointer(node).assumingMemoryBound(to: ChannelState.self)
            let channel = Channel(state: state)
            let deadline = state.pointee.deadline
            if deadline > now {
                if deadline != .max { core.pointee.timers.schedule(node, at: Self.tick(notBefore: deadline)) }
                continue
            }
            state.pointee.deadline = .max
            switch state.pointee.phase {
            case .open:
                state.pointee.events?.pointee.timedOut(self, channel)
                flush(state)
            case .finishing: finishTimedOut(channel)
            case .lingering: close(channel)
            case .free, .closed: break
            }
        }
    }

    private func fire(_ timer: LoopTimer) {
        if timer.instant > now {
            schedule(timer, at: timer.instant)
        } else {
            timer.fire(self)
        }
    }

    /// Arms `timer` for `instant`, or moves it.
    package func schedule(_ timer: LoopTimer, at instant: Nanoseconds) {
        timer.instant = instant
        core.pointee.timers.schedule(timer.node, at: Self.tick(notBefore: instant))
    }

    package func cancel(_ timer: LoopTimer) {
        core.pointee.timers.cancel(timer.node)
    }

    private func end() {
        closeListeners()
        closeAll()
        inbox.drain(on: self)
        runJobs()
        core.pointee.hooks.ended?()
        // Tasks that end do so in a few rounds; one that goes on regardless of its cancellation is given up.
        var rounds = 0
        while core.pointee.jobs.count > 0, rounds < Self.lastRoundsMax {
            runJobs()
            rounds += 1
        }
        inbox.drain(on: self)
        // What came with the last messages.
        closeAll()
        // What others hold goes on.
        core.pointee.buffers.settle()
        hooks = LoopHooks()
        acceptPolicy = nil
    }

    private func closeAll() {
        core.pointee.channels.visitUsed { close(Channel(state: $0), reason: .stopped) }
        reap()
    }

    func channelCountChanged() {
        let outboundCount = core.pointee.channels.outboundCount
        let count = core.pointee.channels.openCount - outboundCount
        openChannels.store(count, ordering: .relaxed)
        outboundChannels.store(outboundCount, ordering: .relaxed)
        metrics.set(.connectionsOpen, count)
        fitSocketBuffers()
    }
}
