// SPDX-License-Identifier: Apache-2.0
// What one loop keeps for the server: pools of exchanges, connections and handler tasks, the snapshot in use, the
// date. Confined to the loop's thread.

import Glibc
import Logging
import Synchronization
import WeirEventLoop
import WeirFlow
import WeirHTTP
import WeirMetrics
import WeirUpstream

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
    private let snapshots: SnapshotCell
    let configuration: ServerConfiguration
    let metrics: MetricsShard
    /// One for each profile of the server's TLS.
    private(set) var acceptors: [TLSAcceptor] = []
    let accessLog: AccessRecorder?
    /// Nil for a server that neither limits nor queues.
    let flow: FlowControl?
    /// Nil for a server whose limits are all its own.
    let store: StoreClient?
    /// `flow` again, for where counting its references would have all loops write one word.
    let flowReference: Unmanaged<FlowControl>?
    /// Whether a field says a request's class.
    let readsPriority: Bool
    let events: UnsafeMutablePointer<ChannelEvents>
    /// The status line of 200 and the Date field, the start of most responses; written anew once a second.
    private let prefix: UnsafeMutableRawBufferPointer
    /// Memory for the same with the content type and the name of Content-Length behind it.
    private let textMemory: UnsafeMutableRawBufferPointer
    private let jsonMemory: UnsafeMutableRawBufferPointer
    /// The refusal that was written last.
    let refusalText = RefusalText()
    /// Memory for one normalized path.
    let scratch: UnsafeMutableRawPointer
    /// The loop's connections to each upstream, in the order of `Snapshot.upstreams`.
    var pools: [UpstreamPool]
    /// Those of upstreams that are no longer there, until their requests have ended.
    var formerPools: [UpstreamPool] = []
    /// The loop's connections for what its handlers ask.
    let clientPools: ClientPools
    /// Those for copies of requests.
    let mirrorPools: ClientPools
    /// Connects again to upstreams that have not answered yet.
    var probeTimer: LoopTimer?
    let proxyEvents: UnsafeMutablePointer<UpstreamEvents>
    private(set) var snapshot: Snapshot
    /// The version of `snapshot`, without a look into it.
    private(set) var snapshotVersion: UInt64
    /// Whether the loop takes no more connections: see `beginLeaving`.
    var isLeaving: Bool {
        get { state.pointee.isLeaving }
        set { state.pointee.isLeaving = newValue }
    }
    var isEmptying: Bool {
        get { state.pointee.isEmptying }
        set { state.pointee.isEmptying = newValue }
    }
    /// Behind a pointer: a field of a class that is passed inout pays a run-time exclusivity check at each access.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        var dateUntil: Nanoseconds = 0
        /// What of `textMemory` and `jsonMemory` is written.
        var textPrefix = UnsafeRawBufferPointer(start: nil, count: 0)
        var jsonPrefix = UnsafeRawBufferPointer(start: nil, count: 0)
        /// The exchange that was used last, which the next request of the turn finds in the cache.
        var spare: Unmanaged<Exchange>?
        /// Each holds one reference, as does a lease.
        var exchanges: [Unmanaged<Exchange>] = []
        var retired: [Unmanaged<Exchange>] = []
        var connections: [HTTP1Connection] = []
        var idleTasks: [HandlerTask] = []
        var activeTasks: [HandlerTask] = []
        var yielded: [UnsafeContinuation<Void, Never>] = []
        var resuming: [UnsafeContinuation<Void, Never>] = []
        /// When the last handler on the loop ended.
        var handlerEnded: Nanoseconds = 0
        /// From when on a refusal may end its connection again.
        var nextEndOfRefused: Nanoseconds = 0
        var isLeaving = false
        /// It leaves, and has not been empty since.
        var isEmptying = false
        var sequence: UInt64
        var random: UInt64
    }

    init(loop: EventLoop, shared: ServerShared) {
        self.loop = loop
        server = shared
        snapshots = shared.snapshots
        configuration = shared.configuration
        snapshot = shared.snapshots.snapshot
        snapshotVersion = snapshot.version
        metrics = loop.metrics
        proxyEvents = .allocate(capacity: 1)
        proxyEvents.initialize(to: ProxyExchange.events)
        pools = zip(snapshot.upstreams, snapshot.editions).map { [proxyEvents] upstream, edition in
            UpstreamPool(upstream, as: edition, loop: loop, events: proxyEvents)
        }
        flow = shared.flow
        flowReference = shared.flow.map(Unmanaged.passUnretained)
        readsPriority = shared.flow?.priorityHeader.isEmpty == false
        store = shared.openStore.map { open in StoreClient(open(loop), shared.flow?.storeLimits ?? []) }
        clientPools = ClientPools(snapshot.upstreams, snapshot.editions, loop: loop, events: ClientCall.events)
        mirrorPools = ClientPools(snapshot.upstreams, snapshot.editions, loop: loop, events: MirrorCopy.events)
        accessLog = shared.accessLog?.recorder(of: loop.index)
        events = .allocate(capacity: 1)
        events.initialize(to: HTTP1Connection.events)
        prefix = .allocate(byteCount: Self.prefixByteCount, alignment: 16)
        textMemory = .allocate(byteCount: 2 * Self.prefixByteCount + 32, alignment: 16)
        jsonMemory = .allocate(byteCount: 2 * Self.prefixByteCount + 32, alignment: 16)
        scratch = .allocate(byteCount: configuration.http.requestLineBytesMax, alignment: 16)
        var generator = SystemRandomNumberGenerator()
        state = .allocate(capacity: 1)
        state.initialize(to: State(sequence: generator.next(), random: generator.next() | 1))
        if let tls = shared.tls {
            acceptors = (0..<tls.profileCount).map { profile in
                TLSAcceptor(tls, profile: profile, loop, configuration, shared.logger) {
                    [unowned(unsafe) self] channel, peer in
                    openHTTP(channel, peer.address, peer)
                }
            }
        }
        // The server keeps this object as long as the loop runs.
        loop.hooks.ended = { [unowned(unsafe) self] in tearDown() }
        loop.hooks.turnEnded = { context in
            guard let context else { return }
            Unmanaged<ServerLoop>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.endTurn() }
        }
        loop.hooks.context = Unmanaged.passUnretained(self).toOpaque()
        loop.hooks.beforeJobs = { [unowned(unsafe) self] in resumeYielded() }
        loop.hooks.stalled = { [unowned(unsafe) self] job, nanoseconds in reportStall(job, nanoseconds) }
        loop.hooks.stallNanoseconds = configuration.stallNanoseconds
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
        events.deinitialize(count: 1)
        events.deallocate()
        proxyEvents.deinitialize(count: 1)
        proxyEvents.deallocate()
        scratch.deallocate()
        prefix.deallocate()
        textMemory.deallocate()
        jsonMemory.deallocate()
    }

    /// Opens the connections of this server's listeners.
    var open: ChannelOpener {
        { [unowned(unsafe) self] _, channel, address in openHTTP(channel, address, nil) }
    }

    private func openHTTP(
        _ channel: Channel,
        _ address: SocketAddress,
        _ secure: SecurePeer?
    ) -> UnsafePointer<ChannelEvents> {
        let connection = state.pointee.connections.popLast() ?? HTTP1Connection(owner: self)
        connection.open(channel, address, secure)
        return UnsafePointer(events)
    }

    /// Opens those of a TLS listener: they become HTTP connections when the handshake is done.
    func openSecure(_ address: ListenAddress) -> ChannelOpener {
        guard let profile = server.tls?.profile(of: address, isAdmin: server.isAdmin) else {
            preconditionFailure("a TLS listener of a server without certificates")
        }
        return acceptors[profile].opener
    }

    /// Closes the connections that wait for nothing.
    func closeIdle() {
        closeUpstreamConnections()
        loop.forEachChannel(with: events) { channel in
            guard let context = channel.context else { return }
            Unmanaged<HTTP1Connection>.fromOpaque(context).takeUnretainedValue().closeIfIdle()
        }
        for acceptor in acceptors { acceptor.hurry() }
    }

    // MARK: Pools

    /// An exchange, clean. Unmanaged with one reference that `recycle` or `retire` takes back: passing it on counts
    /// none.
    func lease() -> Unmanaged<Exchange> {
        if let spare = state.pointee.spare {
            state.pointee.spare = nil
            return spare
        }
        if let exchange = state.pointee.exchanges.popLast() { return exchange }
        return Unmanaged.passRetained(Exchange(owner: self, configuration: configuration))
    }

    /// Takes an exchange out of use. It is looked at when the turn ends, because whoever called may still hold it.
    func retire(_ exchange: Exchange) {
        retire(Unmanaged.passRetained(exchange))
    }

    /// As `retire`, with the reference of a lease.
    func retire(_ lease: Unmanaged<Exchange>) {
        lease._withUnsafeGuaranteedRef { exchange in
            exchange.releaseExtras()
            if exchange.heldBytes != 0 { exchange.noteHeld() }
        }
        state.pointee.retired.append(lease)
    }

    func give(_ connection: HTTP1Connection) {
        if state.pointee.connections.count < Self.pooledConnectionsMax, !isLeaving {
            state.pointee.connections.append(connection)
        }
        if isEmptying { awaitEmpty() }
    }

    /// Takes an exchange out of use that its lease alone should hold; if a handler kept it, it is not pooled.
    func recycle(_ lease: Unmanaged<Exchange>) {
        guard Self.isAlone(lease) else { return retire(lease) }
        lease._withUnsafeGuaranteedRef { $0.reset() }
        if state.pointee.spare == nil {
            state.pointee.spare = lease
        } else {
            state.pointee.exchanges.append(lease)
        }
    }

    /// Pools what nobody else holds. Of two engine parts that retired the same exchange, the second finds it alone.
    private func recycle() {
        while let exchange = state.pointee.retired.popLast() {
            if Self.isAlone(exchange), state.pointee.exchanges.count < Self.pooledExchangesMax, !isLeaving {
                exchange._withUnsafeGuaranteedRef { $0.reset() }
                state.pointee.exchanges.append(exchange)
            } else {
                exchange.release()
            }
        }
    }

    /// Whether the given reference is the only one.
    private static func isAlone(_ exchange: Unmanaged<Exchange>) -> Bool {
        var exchange = exchange
        // `Unmanaged` is one reference and nothing else, so its memory reads as that reference.
        let isAlone = withUnsafeMutablePointer(to: &exchange) { pointer in
            pointer.withMemoryRebound(to: Exchange.self, capacity: 1) { isKnownUniquelyReferenced(&$0.pointee) }
        }
        // Pairs with the release of the last other reference: what its holder wrote is seen.
        if isAlone { atomicMemoryFence(ordering: .acquiring) }
        return isAlone
    }

    /// Lets go of what is pooled, which refers back to this object. When the loop ends, or where it never ran.
    func tearDown() {
        if let probeTimer { loop.cancel(probeTimer) }
        probeTimer = nil
        for pool in pools + formerPools { pool.end() }
        clientPools.end()
        mirrorPools.end()
        store?.stop()
        recycle()
        for task in state.pointee.activeTasks { task.end() }
        state.pointee.activeTasks = []
        state.pointee.idleTasks = []
        releasePooled()
    }

    /// Lets go of exchanges, connections and tasks that are kept for reuse.
    func releasePooled() {
        let idleTasks = state.pointee.idleTasks
        state.pointee.idleTasks = []
        for task in idleTasks {
            remove(task)
            task.end()
        }
        for exchange in state.pointee.exchanges { exchange.release() }
        state.pointee.spare?.release()
        state.pointee.spare = nil
        state.pointee.exchanges = []
        state.pointee.connections = []
    }

    private func endTurn() {
        if !state.pointee.retired.isEmpty { recycle() }
        if snapshots.publishedVersion != snapshotVersion { takeOverSnapshot() }
    }

    private func takeOverSnapshot() {
        snapshot = snapshots.snapshot
        snapshotVersion = snapshot.version
        state.pointee.spare?._withUnsafeGuaranteedRef { $0.forgetRoute() }
        for exchange in state.pointee.exchanges { exchange._withUnsafeGuaranteedRef { $0.forgetRoute() } }
        takeOverUpstreams()
        if let store, let flow { store.take(flow.storeLimits) }
    }

    // MARK: Time and chance

    /// `HTTP/1.1 200 OK` CRLF, and with the Date field behind it.
    private static let okByteCount = 17
    private static let prefixByteCount = okByteCount + 37

    private func refreshDate() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var writer = HeadWriter(prefix)
        let date = HTTPDate.text(unixSeconds: Int64(time.tv_sec))
        writer.statusLine(200)
        writer.date(date.span)
        precondition(writer.count == Self.prefixByteCount, "a prefix of another size")
        var text = HeadWriter(textMemory)
        text.raw(UnsafeRawBufferPointer(prefix))
        text.contentType(.text)
        text.raw("Content-Length: ")
        var json = HeadWriter(jsonMemory)
        json.raw(UnsafeRawBufferPointer(prefix))
        json.contentType(.json)
        json.raw("Content-Length: ")
        state.pointee.textPrefix = UnsafeRawBufferPointer(rebasing: textMemory[..<text.count])
        state.pointee.jsonPrefix = UnsafeRawBufferPointer(rebasing: jsonMemory[..<json.count])
        state.pointee.dateUntil = loop.now &+ (1_000_000_000 &- Nanoseconds(time.tv_nsec))
    }

    /// When the Date field that was written last is over.
    var dateUntil: Nanoseconds { state.pointee.dateUntil }

    /// The head of a 200 response with text or JSON up to the body's length; nil for other types.
    func prefix(of type: ContentType) -> UnsafeRawBufferPointer? {
        if loop.now >= state.pointee.dateUntil { refreshDate() }
        switch type {
        case .text: return state.pointee.textPrefix
        case .json: return state.pointee.jsonPrefix
        case .none, .problem, .octets, .html, .other: return nil
        }
    }

    /// Writes the Date field.
    func writeDate(into writer: inout HeadWriter) {
        if loop.now >= state.pointee.dateUntil { refreshDate() }
        // The memory is this object's, which outlives the call.
        writer.raw(UnsafeRawBufferPointer(rebasing: prefix[Self.okByteCount..<Self.prefixByteCount]))
    }

    /// Writes the status line and the Date field.
    func beginHead(_ status: Int, into writer: inout HeadWriter) {
        if loop.now >= state.pointee.dateUntil { refreshDate() }
        // The memory is this object's, which outlives the call.
        let bytes = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(prefix))
        if status == 200 {
            writer.raw(bytes)
        } else {
            writer.statusLine(status)
            writer.raw(bytes.extracting(Self.okByteCount..<Self.prefixByteCount))
        }
    }

    func nextSequence() -> UInt64 {
        state.pointee.sequence &+= 1
        return state.pointee.sequence
    }

    /// A number in −1...1, for what must not happen everywhere at once.
    func jitter() -> Double { Double(random() >> 11) / Double(1 << 52) - 1 }

    /// A number that need not be a secret (xorshift64, Marsaglia 2003); never 0.
    func random() -> UInt64 {
        state.pointee.random ^= state.pointee.random << 13
        state.pointee.random ^= state.pointee.random >> 7
        state.pointee.random ^= state.pointee.random << 17
        return state.pointee.random
    }

    /// Whether a refusal ends its connection, so that clients spread over pods that have come since: a share of them,
    /// while they are few. A new connection costs as much as four requests: where there are many, one in 64 would make a
    /// refusal cost more than what it saves.
    func endsConnectionOfRefusal() -> Bool {
        guard random() % Self.endedRefusalsShare == 0, loop.now >= state.pointee.nextEndOfRefused else { return false }
        state.pointee.nextEndOfRefused = loop.now &+ Self.endOfRefusedInterval
        return true
    }

    private static let endedRefusalsShare: UInt64 = 64
    private static let endOfRefusedInterval: Nanoseconds = 50_000_000

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
        if state.pointee.idleTasks.count < Self.idleTasksMax, !isLeaving {
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
        let now = loop.instant
        let began = max(state.pointee.handlerEnded, loop.latest)
        state.pointee.handlerEnded = now
        if now &- began > configuration.stallNanoseconds { noteStall(route, now &- began) }
    }

    /// Counts an exchange that is over.
    func record(_ exchange: Exchange) {
        // An answer that a handler gave at once needs no second look at the clock.
        let now = exchange.isAnsweredAtOnce ? state.pointee.handlerEnded : loop.instant
        if let accessLog { accessLog.record(exchange, nanoseconds: now &- exchange.startedAt) }
        metrics.recordDuration(
            route: exchange.routeIndex,
            method: exchange.parser.pointee.head.method.index,
            status: exchange.status,
            nanoseconds: now &- exchange.startedAt
        )
        exchange.withWatch { measure(exchange, of: $0, $1, now: now) }
        exchange.withTags { metrics.recordTag(route: exchange.routeIndex, tag: $0.counted($1)) }
        // A handler that goes on holds its place until it ends.
        if exchange.slot == .held, !exchange.isHandlerRunning { leave(exchange, now: now) }
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
