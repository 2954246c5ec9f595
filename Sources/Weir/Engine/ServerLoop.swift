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
    private(set) var date = InlineArray<29, UInt8>(repeating: 32)
    private var dateUntil: Nanoseconds = 0
    private var exchanges: [Exchange] = []
    private var retired: [Exchange] = []
    private var connections: [HTTP1Connection] = []
    private var idleTasks: [HandlerTask] = []
    private var activeTasks: [HandlerTask] = []
    private var yielded: [UnsafeContinuation<Void, Never>] = []
    private var resuming: [UnsafeContinuation<Void, Never>] = []
    /// When the last handler on the loop ended.
    private var handlerEnded: Nanoseconds = 0
    private var sequence: UInt64
    private var random: UInt64

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
        sequence = generator.next()
        random = generator.next() | 1
        // The server keeps this object as long as the loop runs.
        loop.hooks.turnEnded = { [unowned(unsafe) self] in endTurn() }
        loop.hooks.beforeJobs = { [unowned(unsafe) self] in resumeYielded() }
        loop.hooks.stalled = { [unowned(unsafe) self] job, nanoseconds in reportStall(job, nanoseconds) }
        loop.hooks.stallNanoseconds = configuration.stallNanoseconds
    }

    deinit {
        events.deinitialize(count: 1)
        events.deallocate()
        scratch.deallocate()
    }

    /// Opens the connections of this server's listeners.
    var open: ChannelOpener {
        { [unowned(unsafe) self] _, channel, address in
            let connection = connections.popLast() ?? HTTP1Connection(owner: self)
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
        if let exchange = exchanges.popLast() { return exchange }
        return Exchange(owner: self, limits: configuration.http)
    }

    /// Takes an exchange out of use. It is looked at when the turn ends, because whoever called may still hold it.
    func retire(_ exchange: Exchange) {
        retired.append(exchange)
    }

    func give(_ connection: HTTP1Connection) {
        if connections.count < Self.pooledConnectionsMax { connections.append(connection) }
    }

    /// Pools what nobody else holds. Of two engine parts that retired the same exchange, the second finds it alone.
    private func recycle() {
        while var exchange = retired.popLast() {
            guard isKnownUniquelyReferenced(&exchange), exchanges.count < Self.pooledExchangesMax else { continue }
            exchange.reset()
            exchanges.append(exchange)
        }
    }

    private func endTurn() {
        recycle()
        if server.snapshots.publishedVersion != snapshot.version { snapshot = server.snapshots.snapshot }
    }

    // MARK: Time and chance

    /// The bytes of the Date field; written anew once a second.
    func refreshDate() {
        guard loop.now >= dateUntil else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        HTTPDate.write(unixSeconds: Int64(time.tv_sec), into: &date)
        dateUntil = loop.now &+ (1_000_000_000 &- Nanoseconds(time.tv_nsec))
    }

    func nextSequence() -> UInt64 {
        sequence &+= 1
        return sequence
    }

    /// A number in −1...1, for what must not happen everywhere at once (xorshift64, Marsaglia 2003).
    func jitter() -> Double {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return Double(random >> 11) / Double(1 << 52) - 1
    }

    // MARK: Asynchronous handlers

    /// Answers `exchange` by a task of this loop.
    func start(_ exchange: Exchange) {
        let task: HandlerTask
        if let idle = idleTasks.popLast() {
            task = idle
        } else {
            task = HandlerTask(owner: self)
            activeTasks.append(task)
        }
        task.begin(exchange)
    }

    func park(_ task: HandlerTask) {
        if idleTasks.count < Self.idleTasksMax {
            idleTasks.append(task)
        } else {
            activeTasks.removeAll { $0 === task }
            task.end()
        }
    }

    /// A task ended, because its request was cancelled.
    func remove(_ task: HandlerTask) {
        activeTasks.removeAll { $0 === task }
    }

    /// Resumes `continuation` in the next round of jobs.
    func yield(_ continuation: UnsafeContinuation<Void, Never>) {
        yielded.append(continuation)
        loop.noteWork()
    }

    private func resumeYielded() {
        guard !yielded.isEmpty else { return }
        swap(&yielded, &resuming)
        for continuation in resuming { continuation.resume() }
        resuming.removeAll(keepingCapacity: true)
    }

    // MARK: Handlers that hold the loop

    /// A handler on the loop has ended: it began when the one before it did, or when the turn did.
    func noteHeld(by route: Route, until now: Nanoseconds) {
        let began = max(handlerEnded, loop.now)
        handlerEnded = now
        if now &- began > configuration.stallNanoseconds { noteStall(route, now &- began) }
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
        let task = activeTasks.first { $0.taskIdentity == job }
        noteStall(task?.exchange?.route ?? task?.lastRoute, nanoseconds)
    }
}
