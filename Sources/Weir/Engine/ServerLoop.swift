// SPDX-License-Identifier: Apache-2.0
// What one loop keeps for the server: pools of exchanges, connections and handler tasks, the snapshot in use, the
// date. Confined to the loop's thread.

import Glibc
import Logging
import Synchronization
import WeirEventLoop
import WeirHTTP
import WeirMetrics

/// The server's half of an event loop.
///
/// `@unchecked Sendable`: made on one thread, then touched by the loop's alone.
final class ServerLoop: @unchecked Sendable {
    /// Idle objects that are kept for reuse; what is beyond is freed.
    private static let pooledExchangesMax = 4096
    private static let pooledConnectionsMax = 1024
    private static let idleTasksMax = 1024

    let loop: EventLoop
    let server: ServerShared
    let configuration: ServerConfiguration
    let metrics: MetricsShard
    let events: UnsafeMutablePointer<ChannelEvents>
    /// Memory for one normalized path.
    let scratch: UnsafeMutableRawPointer
    private(set) var snapshot: Snapshot
    /// Behind a pointer: a field of a class that is passed inout pays a run-time exclusivity check at each access.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        /// The Date field, whole.
        var dateField = InlineArray<37, UInt8>(repeating: 32)
        var dateUntil: Nanoseconds = 0
        var exchanges: [Exchange] = []
        var retired: [Exchange] = []
        var connections: [HTTP1Connection] = []
        var idleTasks: [HandlerTask] = []
        var activeTasks: [HandlerTask] = []
        var yielded: [UnsafeContinuation<Void, Never>] = []
        var resuming: [UnsafeContinuation<Void, Never>] = []
        /// When the last handler on the loop ended.
        var handlerEnded: Nanoseconds = 0
        var sequence: UInt64
        var random: UInt64
    }

    init(loop: EventLoop, shared: ServerShared) {
        self.loop = loop
        server = shared
        configuration = shared.configuration
        snapshot = shared.snapshots.snapshot
        metrics = loop.metrics
        events = .allocate(capacity: 1)
        events.initialize(to: HTTP1Connection.events)
        scratch = .allocate(byteCount: configuration.http.requestLineBytesMax, alignment: 16)
        var generator = SystemRandomNumberGenerator()
        state = .allocate(capacity: 1)
        state.initialize(to: State(sequence: generator.next(), random: generator.next() | 1))
        // The server keeps this object as long as the loop runs.
        loop.hooks.ended = { [unowned(unsafe) self] in tearDown() }
        loop.hooks.turnEnded = { [unowned(unsafe) self] in endTurn() }
        loop.hooks.beforeJobs = { [unowned(unsafe) self] in resumeYielded() }
        loop.hooks.stalled = { [unowned(unsafe) self] job, nanoseconds in reportStall(job, nanoseconds) }
        loop.hooks.stallNanoseconds = configuration.stallNanoseconds
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
        events.deinitialize(count: 1)
        events.deallocate()
        scratch.deallocate()
    }

    /// Opens the connections of this server's listeners.
    var open: ChannelOpener {
        { [unowned(unsafe) self] _, channel, address in
            let connection = state.pointee.connections.popLast() ?? HTTP1Connection(owner: self)
            connection.open(channel, address)
            return UnsafePointer(events)
        }
    }

    /// Closes the connections that wait for nothing.
    func closeIdle() {
        loop.forEachChannel(with: events) { channel in
            guard let context = channel.context else { return }
            Unmanaged<HTTP1Connection>.fromOpaque(context).takeUnretainedValue().closeIfIdle()
        }
    }

    // MARK: Pools

    /// An exchange, clean.
    func lease() -> Exchange {
        if let exchange = state.pointee.exchanges.popLast() { return exchange }
        return Exchange(owner: self, limits: configuration.http)
    }

    /// Takes an exchange out of use. It is looked at when the turn ends, because whoever called may still hold it.
    func retire(_ exchange: Exchange) {
        exchange.releaseExtras()
        state.pointee.retired.append(exchange)
    }

    func give(_ connection: HTTP1Connection) {
        if state.pointee.connections.count < Self.pooledConnectionsMax { state.pointee.connections.append(connection) }
    }

    /// Takes an exchange out of use that the caller alone should hold; if a handler kept it, it is not pooled.
    func recycle(_ exchange: inout Exchange) {
        guard isKnownUniquelyReferenced(&exchange) else { return retire(exchange) }
        exchange.reset()
        state.pointee.exchanges.append(exchange)
    }

    /// Pools what nobody else holds. Of two engine parts that retired the same exchange, the second finds it alone.
    private func recycle() {
        while var exchange = state.pointee.retired.popLast() {
            guard isKnownUniquelyReferenced(&exchange), state.pointee.exchanges.count < Self.pooledExchangesMax else {
                continue
            }
            exchange.reset()
            state.pointee.exchanges.append(exchange)
        }
    }

    /// Lets go of what is pooled, which refers back to this object.
    private func tearDown() {
        recycle()
        for task in state.pointee.activeTasks { task.end() }
        state.pointee.activeTasks = []
        state.pointee.idleTasks = []
        state.pointee.exchanges = []
        state.pointee.connections = []
    }

    private func endTurn() {
        recycle()
        if server.snapshots.publishedVersion != snapshot.version { snapshot = server.snapshots.snapshot }
    }

    // MARK: Time and chance

    /// The bytes of the Date field; written anew once a second.
    private func refreshDate() {
        guard loop.now >= state.pointee.dateUntil else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var field = InlineArray<37, UInt8>(repeating: 0)
        withUnsafeMutableBytes(of: &field) { memory in
            var writer = HeadWriter(memory)
            let date = HTTPDate.text(unixSeconds: Int64(time.tv_sec))
            writer.date(date.span)
        }
        state.pointee.dateField = field
        state.pointee.dateUntil = loop.now &+ (1_000_000_000 &- Nanoseconds(time.tv_nsec))
    }

    /// Writes the Date field.
    func writeDate(into writer: inout HeadWriter) {
        refreshDate()
        let field = state.pointee.dateField
        writer.raw(field.span)
    }

    func nextSequence() -> UInt64 {
        state.pointee.sequence &+= 1
        return state.pointee.sequence
    }

    /// A number in −1...1, for what must not happen everywhere at once (xorshift64, Marsaglia 2003).
    func jitter() -> Double {
        state.pointee.random ^= state.pointee.random << 13
        state.pointee.random ^= state.pointee.random >> 7
        state.pointee.random ^= state.pointee.random << 17
        return Double(state.pointee.random >> 11) / Double(1 << 52) - 1
    }

    // MARK: Asynchronous handlers

    /// Answers `exchange` by a task of this loop.
    func start(_ exchange: Exchange) {
        exchange.leftTheCodec = true
        let task: HandlerTask
        if let idle = state.pointee.idleTasks.popLast() {
            task = idle
        } else {
            task = HandlerTask(owner: self)
            task.place = state.pointee.activeTasks.count
            state.pointee.activeTasks.append(task)
        }
        task.begin(exchange)
    }

    func park(_ task: HandlerTask) {
        if state.pointee.idleTasks.count < Self.idleTasksMax {
            state.pointee.idleTasks.append(task)
        } else {
            remove(task)
            task.end()
        }
    }

    /// A task ended, because its request was cancelled.
    func remove(_ task: HandlerTask) {
        // The last one takes the place of the one that goes.
        guard let place = task.place, let last = state.pointee.activeTasks.popLast() else { return }
        task.place = nil
        guard last !== task else { return }
        last.place = place
        state.pointee.activeTasks[place] = last
    }

    /// Resumes `continuation` in the next round of jobs.
    func yield(_ continuation: UnsafeContinuation<Void, Never>) {
        state.pointee.yielded.append(continuation)
        loop.noteWork()
    }

    private func resumeYielded() {
        guard !state.pointee.yielded.isEmpty else { return }
        swap(&state.pointee.yielded, &state.pointee.resuming)
        for continuation in state.pointee.resuming { continuation.resume() }
        state.pointee.resuming.removeAll(keepingCapacity: true)
    }

    // MARK: Handlers that hold the loop

    /// A handler on the loop has returned: it began when what ran before it ended, or when the turn did.
    func noteHeld(by route: Route) {
        let now = loop.clock.now
        let began = max(state.pointee.handlerEnded, loop.now, loop.jobsEnded)
        state.pointee.handlerEnded = now
        if now &- began > configuration.stallNanoseconds { noteStall(route, now &- began) }
    }

    /// Counts an exchange that is over.
    func record(_ exchange: Exchange) {
        // An answer that a handler gave at once needs no second look at the clock.
        let now = exchange.isAnsweredAtOnce ? state.pointee.handlerEnded : loop.clock.now
        metrics.durations.record(
            route: exchange.routeIndex,
            method: exchange.parser.pointee.head.method.rawValue,
            status: exchange.status,
            nanoseconds: now &- exchange.startedAt
        )
        metrics.decrement(.requestsExecuting)
    }

    private func noteStall(_ route: Route?, _ nanoseconds: Nanoseconds) {
        if let route { metrics.stalls.increment(route: route.index) }
        server.logger.warning(
            "a handler held its event loop; declare the route on: .workers",
            metadata: [
                "route": .string(route?.pattern ?? "unknown"),
                "held_ms": .stringConvertible(nanoseconds / 1_000_000),
            ]
        )
    }

    /// `job` is the bit pattern of a job's reference, which is its task's: a task is its own job.
    private func reportStall(_ job: UInt, _ nanoseconds: Nanoseconds) {
        let task = state.pointee.activeTasks.first { $0.taskIdentity == job }
        noteStall(task?.exchange?.route ?? task?.lastRoute, nanoseconds)
    }
}
