// SPDX-License-Identifier: Apache-2.0
// One request and its response: what the codec, the router and the handler share. Pooled by its loop.

import Glibc
import Synchronization
import WeirEventLoop
import WeirFlow
import WeirHTTP
import WeirRouting

/// A request in progress, between the codec that reads and writes it and whatever answers it.
///
/// The loop's thread owns it. `@unchecked Sendable`: what a handler reads from elsewhere (head, parameters, collected
/// body, route, instants) is fixed before the handler starts and until it has ended; the rest is touched on the loop
/// only, or is an atomic or under a mutex. An exchange is reused only when nobody holds it any more
/// (`ServerLoop.recycle`), so a handler that lets its request escape reads its own request for ever.
final class Exchange: @unchecked Sendable {
    let owner: ServerLoop
    /// The connection that waits for the answer; nil when the answer no longer has a taker. Unowned: the connection
    /// takes itself out of here before it goes.
    private var connectionReference: Unmanaged<HTTP1Connection>?

    // The head
    // Behind pointers: a field of a class that is passed inout pays a run-time exclusivity check at each access.
    let parser: UnsafeMutablePointer<RequestParser>
    let match: UnsafeMutablePointer<RouteMatch>
    let parts: UnsafeMutablePointer<Parts>
    private(set) var head: UnsafeMutableRawPointer
    private var headCapacity: Int
    private(set) var headCount = 0
    /// Counts the heads that were kept: what was made of one with this number holds for the head that is there now.
    private(set) var headNumber: UInt64 = 0
    /// Where the normalized path lies within `head`.
    private(set) var pathStart = 0
    /// The version of the snapshot that found a route for the head in `head`; 0 if that is not to be used again.
    private(set) var keptVersion: UInt64 = 0
    var route: Route? {
        didSet { routeReference = route.map(Unmanaged.passUnretained) }
    }
    /// `route` again, for where counting its references would cost more than what is done with it.
    private(set) var routeReference: Unmanaged<Route>?
    /// The route's index, -1 without a route; and whether its handler on the loop has returned a whole response.
    var routeIndex: Int32 = -1
    /// The place of its tag among those of its route, -1 for none. Says nothing where the route has no tags.
    var tag: Int16 = -1
    var isAnsweredAtOnce = false
    var peer = PeerAddress()
    /// What the client has shown in the handshake of its TLS connection.
    var clientCertificate: ClientCertificate?
    /// Numbers the loop's requests; the request id comes from it.
    var sequence: UInt64 = 0

    // What the access log says beside that
    /// The trace and the span that the request belongs to (W3C Trace Context), zero where there is none.
    var traceHigh: UInt64 = 0
    var traceLow: UInt64 = 0
    var spanID: UInt64 = 0
    /// Bytes of both bodies so far, without the coding of chunks.
    var bodyBytesIn: UInt64 = 0
    var bodyBytesOut: UInt64 = 0
    /// Index in `AccessLog.endpoints` of the endpoint that answered, -1 for none.
    var endpointIndex: Int16 = -1
    var reason = AccessReason.none

    // Time
    var startedAt: Nanoseconds = 0
    /// Relaxed: handlers elsewhere read it while the loop moves it on behind a body; each value stands for itself.
    private let deadlineInstant = Atomic<UInt64>(.max)
    var deadline: Nanoseconds {
        get { deadlineInstant.load(ordering: .relaxed) }
        set { deadlineInstant.store(newValue, ordering: .relaxed) }
    }
    /// How long the response's head may take: the route's limit, or less if the client waits for less or the route is
    /// degraded.
    var budget: Nanoseconds = 0
    /// When the client stops waiting, as its fields said; `.max` without one. Whatever moves `deadline` stays before it.
    var callerDeadline: Nanoseconds = .max

    /// For routes with a guard: when the request was whole, when an endpoint's head was passed on, and whether the request
    /// has less than others.
    var wholeAt: Nanoseconds = 0
    var answeredAt: Nanoseconds = 0
    var isDegraded = false

    // Limits and admission
    /// Its place in a pool's queue.
    let ticket = AdmissionTicket()
    /// `ticket` again, for where counting its references would cost more than what is done with it.
    private let ticketReference: Unmanaged<AdmissionTicket>
    /// Where it stands in its pool; the pool is kept by the route, which the exchange keeps.
    var slot = AdmissionSlot.none
    /// What it waits for while it is `checking`.
    var storeTicket = StoreTicket(number: 0)
    var poolReference: Unmanaged<AdmissionPool>?
    /// What of the pool it counts in; the pool keeps it.
    var shareReference: Unmanaged<PoolShare>?
    /// When it asked for a place, and since when it executes: between them it waited.
    var waitsSince: Nanoseconds = 0
    var executesSince: Nanoseconds = 0
    /// The rate limits that were asked, kept by the route; nil for none. What they said is in `limitDecisions`.
    var limitsReference: Unmanaged<RouteLimits>?
    /// Room for what `RouteLimits.limitsMax` limits say; made for the first request that has any.
    private var decisions: UnsafeMutablePointer<LimitDecision>?

    // The two halves
    var input = BodyInput.done
    var sink = BodySink.discard(byteCount: 0)
    var owesContinue = false
    /// The body is in `parts.collected`: a synchronous handler may have it.
    var isBodyWhole = false
    /// Set when the client broke the body off or what it sent is none.
    var inputFailure: RequestBodyError?
    var readers: [Waiter] = []
    var output = ResponseOutput.pending
    var status: UInt16 = 0
    var writers: [Waiter] = []
    /// A streamed response that a task has still to produce.
    var streamed: Response?
    /// What a worker made of the request; set before the message that hands it to the loop.
    var outcome: Result<Response, any Error>?

    /// The half that goes to an endpoint; made for the first request that does.
    private(set) var proxy: ProxyExchange?
    /// `proxy` again, for where counting its references would cost more than what is done with it.
    private var proxyReference: Unmanaged<ProxyExchange>?
    /// Whether and as what it is counted among the streams.
    var stream = StreamKind.none

    // The handler
    /// The exchange went to a task or a worker, whose traces are to be cleared.
    var leftTheCodec = false
    var handlerTask: HandlerTask?
    /// A worker has it.
    var isOnWorker = false
    /// What an asynchronous handler has collected of the body.
    var collectedBytes = 0
    /// What the loop counts as held for this request.
    private(set) var heldBytes = 0
    /// The task of an asynchronous handler on the worker pool.
    var workerTask: Task<Void, Never>?
    let isCancelled = Atomic<Bool>(false)
    /// Nobody takes the answer any more, so a handler that has not begun need not; relaxed, seeing it late costs work.
    let isAbandoned = Atomic<Bool>(false)
    let extras = Mutex(Extras())
    /// Something was put into `extras`; set under its mutex. Relaxed: it is looked at when nobody else has the exchange,
    /// so that a request that left none takes no lock.
    private let hasExtras = Atomic<Bool>(false)

    /// What outlives its deadline.
    enum StreamKind {
        case none
        /// The response still flows though its deadline has passed.
        case response
        case tunnel
    }

    /// What of the bodies has been kept.
    struct Parts {
        var decoder: ChunkedDecoder
        var collected: [UInt8] = []
        var pieces = PieceQueue()
        var trailers: [(name: String, value: String)] = []
        var pending = PendingBody()
        var responseTrailers = Headers()

        mutating func reset() {
            if !collected.isEmpty { collected = [] }
            pieces.removeAll()
            if !trailers.isEmpty { trailers = [] }
            if pending.isActive { pending = PendingBody() }
            if !responseTrailers.isEmpty { responseTrailers = Headers() }
        }
    }

    /// Somebody who waits on the loop for a piece of the body or for room in the output.
    enum Waiter {
        case task(UnsafeContinuation<Void, Never>)
        case call(@Sendable () -> Void)

        func wake() {
            switch self {
            case .task(let continuation): continuation.resume()
            case .call(let body): body()
            }
        }
    }

    /// What few requests have.
    struct Extras {
        var values: [ObjectIdentifier: any Sendable] = [:]
        var onCancel: [@Sendable () -> Void] = []
        var background: [BackgroundWork] = []
        var isCancelled = false
    }

    init(owner: ServerLoop, configuration: ServerConfiguration) {
        self.owner = owner
        parser = .allocate(capacity: 1)
        parser.initialize(to: RequestParser(limits: configuration.http, deadlineName: configuration.deadlineName))
        match = .allocate(capacity: 1)
        match.initialize(to: RouteMatch())
        parts = .allocate(capacity: 1)
        parts.initialize(to: Parts(decoder: ChunkedDecoder(limits: configuration.http)))
        headCapacity = 1024
        head = .allocate(byteCount: headCapacity, alignment: 16)
        ticketReference = Unmanaged.passUnretained(ticket)
        ticket.owner = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        decisions?.deallocate()
        // A handler that kept its context may have left work behind since.
        if hasExtras.load(ordering: .relaxed) { emptyExtras() }
        parser.deinitialize(count: 1)
        parser.deallocate()
        match.deallocate()
        parts.deinitialize(count: 1)
        parts.deallocate()
        head.deallocate()
    }

    var connection: HTTP1Connection? {
        get { connectionReference?.takeUnretainedValue() }
        set { connectionReference = newValue.map(Unmanaged.passUnretained) }
    }

    /// Calls `body` with the connection, if there is one; counts no reference, as reading the property would.
    @discardableResult
    @inline(__always)
    func withConnection<Result>(_ body: (HTTP1Connection) -> Result) -> Result? {
        connectionReference?._withUnsafeGuaranteedRef(body)
    }

    /// Whether `connection` waits for the answer; counts no reference, as comparing with the property would.
    func isAwaited(by connection: HTTP1Connection) -> Bool {
        connectionReference?.toOpaque() == Unmanaged.passUnretained(connection).toOpaque()
    }

    /// Copies the head, and the normalized path where it differs, so that both outlive the receive buffer.
    func keepHead(_ bytes: UnsafeRawBufferPointer, normalizedPath: UnsafeMutableRawPointer) {
        let count = Int(parser.pointee.head.byteCount)
        let extra = match.pointee.usesScratch ? match.pointee.normalizedCount : 0
        if count + extra > headCapacity {
            head.deallocate()
            // Of one size for heads of about the same length.
            headCapacity = (count + extra).roundedUpToPowerOfTwo
            head = .allocate(byteCount: headCapacity, alignment: 16)
            noteHeld()
        }
        if let base = bytes.baseAddress { head.copyMemory(from: base, byteCount: count) }
        headCount = count
        headNumber += 1
        pathStart = Int(parser.pointee.head.path.start)
        if match.pointee.usesScratch {
            (head + count).copyMemory(from: normalizedPath, byteCount: extra)
            pathStart = count
        }
    }

    var limitDecisions: UnsafeMutablePointer<LimitDecision> {
        @inline(__always) get { decisions ?? makeDecisions() }
    }

    @inline(never)
    private func makeDecisions() -> UnsafeMutablePointer<LimitDecision> {
        let made = UnsafeMutablePointer<LimitDecision>.allocate(capacity: RouteLimits.limitsMax)
        made.initialize(repeating: LimitDecision(), count: RouteLimits.limitsMax)
        decisions = made
        return made
    }

    /// Calls `body` with the ticket; counts no reference, as passing the property on would.
    @inline(__always)
    func withTicket<Result>(_ body: (AdmissionTicket) -> Result) -> Result {
        ticketReference._withUnsafeGuaranteedRef(body)
    }

    /// Calls `body` with the route and its guard, if it has one; counts no reference, as reading the properties would.
    @inline(__always)
    func withWatch(_ body: (Route, RouteWatch) -> Void) {
        routeReference?._withUnsafeGuaranteedRef { route in
            route.watchReference?._withUnsafeGuaranteedRef { body(route, $0) }
        }
    }

    /// Whether a handler runs, whoever takes its answer.
    var isHandlerRunning: Bool { leftTheCodec && (handlerTask != nil || workerTask != nil || isOnWorker) }

    /// How much the request matters: what its route says, or its field where that may be believed.
    func priority(of route: Route, isTrusted: Bool) -> WeirFlow.Priority {
        // The head is the exchange's own copy.
        guard let flow = owner.flowReference,
            let value = flow._withUnsafeGuaranteedRef({ fieldValue(lowercaseName: $0.priorityHeader) }),
            let asked = WeirFlow.Priority(field: Span(_unsafeBytes: value))
        else { return route.priority }
        // Anybody may step back, only a trusted proxy may step ahead.
        return isTrusted || asked.rawValue > route.priority.rawValue ? asked : route.priority
    }

    /// Makes ready for the next request; the memory stays.
    func reset() {
        precondition(slot == .none, "an exchange is used again while it has a place in a pool")
        // The endpoint's connection would go on to write into the next request's answer.
        precondition(
            proxyReference?._withUnsafeGuaranteedRef { $0.isIdle } ?? true,
            "an exchange is used again while an endpoint answers it"
        )
        // A request without a body that was answered at once has touched nothing of the rest. Looked at before the head
        // is forgotten.
        if isAnsweredAtOnce, case .none = parser.pointee.head.framing {} else { resetBodies() }
        if keptVersion == 0 { forgetHead() }
        connectionReference = nil
        if heldBytes != 0 { noteHeld() }
        if clientCertificate != nil { clientCertificate = nil }
        isBodyWhole = false
        output = .pending
        bodyBytesOut = 0
        reason = .none
        if leftTheCodec {
            leftTheCodec = false
            handlerTask = nil
            workerTask = nil
            streamed = nil
            outcome = nil
        }
        if isCancelled.load(ordering: .relaxed) { isCancelled.store(false, ordering: .relaxed) }
        if isAbandoned.load(ordering: .relaxed) { isAbandoned.store(false, ordering: .relaxed) }
        if hasExtras.load(ordering: .relaxed) {
            hasExtras.store(false, ordering: .relaxed)
            emptyExtras()
            extras.withLock { $0.isCancelled = false }
        }
        if headCapacity > Self.keptHeadBytesMax {
            forgetHead()
            head.deallocate()
            headCapacity = 1024
            head = .allocate(byteCount: headCapacity, alignment: 16)
        }
    }

    /// Memory for a longer head is given back behind the request.
    private static let keptHeadBytesMax = 4096

    /// Keeps a piece of a body that is collected. One whose length was said gets the room for it with its first piece that
    /// does not fit, and is not copied again; of that room it has the memory that it has written to.
    func collect(_ bytes: UnsafeRawBufferPointer) {
        let count = parts.pointee.collected.count + bytes.count
        if count > parts.pointee.collected.capacity, let whole = bodyBytesSaid {
            parts.pointee.collected.reserveCapacity(whole)
        }
        parts.pointee.collected.append(contentsOf: bytes)
        noteHeld()
    }

    /// How long the head says that the body is.
    var bodyBytesSaid: Int? {
        if case .length(let count) = parser.pointee.head.framing { Int(clamping: count) } else { nil }
    }

    /// Tells the loop how much memory it holds for the request: what is kept of the body, and a long head. As long as it
    /// has a connection, or a handler that runs on without one.
    func noteHeld() {
        var held = 0
        if connectionReference != nil || isHandlerRunning {
            let collected = parts.pointee.collected.count + collectedBytes
            held = parts.pointee.pieces.byteCount + collected
            // Its array grows to twice what is in it, and is copied for that.
            if collected > 0, bodyBytesSaid == nil { held += collected }
            if headCapacity > Self.keptHeadBytesMax { held += headCapacity }
        }
        if held == heldBytes { return }
        owner.loop.noteHeld(held - heldBytes)
        heldBytes = held
    }

    /// The longest body that the loops can ever hold whole: of unknown length it counts twice, see `noteHeld`.
    var collectedBytesMax: Int {
        let bytesMax = owner.loop.collectedBytesMax
        return bodyBytesSaid == nil ? bytesMax / 2 : bytesMax
    }

    /// Whether more of the body may be kept until it is whole: all that is said to come before it begins, and then each
    /// piece.
    var hasMemoryToCollect: Bool {
        guard connectionReference != nil else { return true }
        if collectedBytes == 0, case .length(let remaining) = input {
            return !hasLongBodyLeft || owner.loop.hasRoom(toHold: Int(clamping: remaining))
        }
        let piece = BufferBudget.smallPieceBytes
        return collectedBytes <= piece || owner.loop.mayHold(piece)
    }

    private func resetBodies() {
        input = .done
        parts.pointee.reset()
        owesContinue = false
        stream = .none
        inputFailure = nil
        collectedBytes = 0
        traceHigh = 0
        traceLow = 0
        spanID = 0
        bodyBytesIn = 0
        endpointIndex = -1
    }

    /// Whether `bytes` begin with the very head that this exchange had before, under the same snapshot: then what the
    /// parser and the router found holds, because both depend on nothing else. Probes, load tests and services that call
    /// each other send the same head again and again; comparing it costs a tenth of reading it.
    func repeatsHead(_ bytes: UnsafeRawBufferPointer, version: UInt64) -> Bool {
        guard keptVersion == version, bytes.count >= headCount, let base = bytes.baseAddress else { return false }
        return memcmp(base, head, headCount) == 0
    }

    /// Marks the head as one that may come again. Not one with credentials: how long a comparison takes must tell
    /// nobody anything about somebody else's secret.
    func keepForRepetition(version: UInt64) {
        let hasSecret =
            parser.pointee.hasField(.cookie) || parser.pointee.hasField(.authorization)
            || parser.pointee.hasField(.proxyAuthorization)
        keptVersion = hasSecret ? 0 : version
    }

    /// Forgets the head of the last request, so that another can be read.
    func forgetHead() {
        parser.pointee.reset()
        headCount = 0
        keptVersion = 0
    }

    /// Lets go of the last request's route, which is a former snapshot's: with it go that snapshot's limits and their
    /// tables. Only between two requests.
    func forgetRoute() {
        forgetHead()
        route = nil
        limitsReference = nil
    }

    /// The half that goes to an endpoint.
    @inline(__always)
    func withProxyHalf(_ body: (ProxyExchange) -> Void) {
        if proxyReference == nil {
            let made = ProxyExchange(exchange: self)
            proxy = made
            proxyReference = Unmanaged.passUnretained(made)
        }
        proxyReference?._withUnsafeGuaranteedRef(body)
    }

    /// Whether only the response's head is wanted.
    var isHead: Bool {
        if case .head = parser.pointee.head.method { true } else { false }
    }

    /// Bytes of the head.
    func bytes(_ range: ByteRange) -> UnsafeRawBufferPointer {
        precondition(range.end <= headCount, "a range of another head")
        return UnsafeRawBufferPointer(start: head + Int(range.start), count: Int(range.count))
    }

    func string(_ range: ByteRange) -> String {
        String(decoding: bytes(range), as: UTF8.self)
    }

    /// The path, decoded and without dot segments.
    var path: String {
        if parser.pointee.head.path.isEmpty && !match.pointee.usesScratch {
            return parser.pointee.head.form == .asterisk ? "*" : "/"
        }
        return String(
            decoding: UnsafeRawBufferPointer(start: head + pathStart, count: match.pointee.normalizedCount),
            as: UTF8.self
        )
    }

    func parameter(_ index: Int) -> String { String(decoding: parameterBytes(index), as: UTF8.self) }

    func parameterBytes(_ index: Int) -> UnsafeRawBufferPointer {
        let (start, count) = match.pointee.parameter(index)
        return UnsafeRawBufferPointer(start: head + pathStart + start, count: count)
    }

    /// The client no longer waits or may no longer: whoever works on the answer is told. On the loop's thread.
    func cancel() {
        switch slot {
        case .waiting: owner.leaveQueue(self)
        case .checking: owner.leaveStore(self)
        case .none, .held: break
        }
        // Before the guard: it may have begun behind an earlier cancellation, and must never outlive the exchange's use.
        proxy?.cancel()
        guard !isCancelled.exchange(true, ordering: .relaxed) else { return }
        handlerTask?.cancel()
        workerTask?.cancel()
        let handlers = extras.withLock { extras in
            extras.isCancelled = true
            noteExtras()
            let handlers = extras.onCancel
            extras.onCancel = []
            return handlers
        }
        for handler in handlers { handler() }
        wakeReader()
        wakeWriter()
    }

    /// Marks `extras` as used; within its mutex.
    func noteExtras() {
        hasExtras.store(true, ordering: .relaxed)
    }

    /// Wakes who waits for a piece of the body.
    func wakeReader() {
        for waiter in Self.take(&readers) { waiter.wake() }
    }

    /// Wakes who waits for room in the output.
    func wakeWriter() {
        for waiter in Self.take(&writers) { waiter.wake() }
    }

    /// Takes all out before any is woken: one that waits again at once must find the list free.
    private static func take(_ waiters: inout [Waiter]) -> [Waiter] {
        guard !waiters.isEmpty else { return [] }
        let waiting = waiters
        waiters = []
        return waiting
    }

    /// Lets go of what handlers kept with the request once none of them runs: a closure in it may hold this exchange,
    /// which would then never be alone.
    func releaseExtras() {
        guard hasExtras.load(ordering: .relaxed), handlerTask == nil, workerTask == nil, !isOnWorker else { return }
        emptyExtras()
    }

    /// Lets go of what handlers kept, and has what they left behind begin.
    private func emptyExtras() {
        // Freed outside the lock: what goes may run code of its own.
        let kept = extras.withLock { extras in
            let kept = extras
            extras = Extras()
            extras.isCancelled = kept.isCancelled
            return kept
        }
        guard !kept.background.isEmpty else { return }
        // As a message, which the loop reads when it has sent the answer.
        owner.loop.submit { [queue = owner.server.background, left = kept.background] _ in
            for work in left { queue.begin(work) }
        }
    }

    /// Whether the body goes to a reader.
    var takesBody: Bool {
        if case .stream = sink { true } else { false }
    }

    /// Whether a writer has to produce the body.
    var awaitsWriter: Bool {
        switch output {
        case .sized, .chunked, .untilClose: true
        case .pending, .copying, .done: false
        }
    }
}
