// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 codec of one connection to an endpoint (RFC 9112, the client's side). Owned by its loop's pool.

internal import Glibc
package import WeirEventLoop
package import WeirHTTP

/// One connection to an endpoint: leased for one request at a time, then kept for the next.
///
///     connecting ──> leased ──response whole, both keep it──> idle ──> leased …
///         └─────────────┴────────────────────────────────────┴──> closed
///
/// `@unchecked Sendable`: confined to its loop's thread.
package final class UpstreamConnection: @unchecked Sendable {
    package let pool: UpstreamPool
    package let endpoint: Endpoint
    package let loop: EventLoop
    private let address: SocketAddress
    /// The header that it begins with; such a connection serves one request.
    package let proxyProtocol: ProxyProtocol.Version?
    /// How TLS is spoken on it; nil where it is not.
    let tls: TLSClient?
    package var channel: Channel { ownChannel }
    // Changed in `open` alone; the run-time check would cost each request ten times 75 instructions. Behind a property,
    // because other modules check all the same.
    @exclusivity(unchecked) private var ownChannel = Channel.none
    /// What was found in the head; meaningful within `head` and after it. Behind a pointer: a field of a class that is
    /// passed inout pays a run-time exclusivity check at each access.
    package let parser: UnsafeMutablePointer<ResponseParser>
    private let decoder: UnsafeMutablePointer<ChunkedDecoder>
    /// The head of the last response, for the next may be the same: see `repeatsHead`.
    private let keptHead: UnsafeMutableRawBufferPointer
    let state: UnsafeMutablePointer<State>

    /// Longer heads are read each time.
    private static let keptHeadBytesMax = 512

    /// What changes, behind a pointer for the same reason.
    struct State {
        fileprivate var input = Input.unexpected
        fileprivate var method = HTTPMethod.get
        fileprivate var route = 0
        /// The breaker's leave for this request, until it was told what came of it.
        fileprivate var permit: CircuitPermit?
        var taker: UpstreamEvents.Taker?
        /// What the taker is told by: the pool's table, or the one of `discard`.
        var events: UnsafePointer<UpstreamEvents>
        var hasSentRequest = false
        /// When the request was whole, and until then when it began.
        fileprivate var requestedAt: Nanoseconds = 0
        /// How long after that the response's head may come; meaningful once the request was sent.
        fileprivate var headTimeout = Nanoseconds.max
        fileprivate var isReused = false
        /// Whether it has brought the whole of a response to another request.
        fileprivate var hasServed = false
        fileprivate var hasReceived = false
        fileprivate var hasHead = false
        /// The length of the head that is kept, 0 for none, and what it answered.
        fileprivate var keptHeadCount = 0
        fileprivate var keptMethod = HTTPMethod.get
        /// The loop's turn in which the request could be sent at the earliest.
        fileprivate var quietTurn: UInt64 = .max
        fileprivate var isOpen = true
        /// Of a response that is thrown away, how much may still come, and until when.
        var discardBytesLeft = 0
        var discardUntil = Nanoseconds.max
        /// That of the endpoint's addresses when its own was last among them.
        fileprivate var addressVersion: UInt64 = 0
        /// The neighbours among the unused ones of its endpoint, while it is one of them.
        var isIdle = false
        var newer: Unmanaged<UpstreamConnection>?
        var older: Unmanaged<UpstreamConnection>?
        /// The transform's, which lasts as long as the channel.
        fileprivate var secure: UnsafeMutablePointer<TLSClientConnection>?

        fileprivate init(_ events: UnsafePointer<UpstreamEvents>) {
            self.events = events
        }
    }

    /// Whether it was unused for a time before this request: then an end before any byte may be the end of an idle
    /// connection that has crossed the request.
    package var isReused: Bool { state.pointee.isReused }
    var permit: CircuitPermit? {
        get { state.pointee.permit }
        set { state.pointee.permit = newValue }
    }
    /// Whether anything has come since the request began.
    package var hasReceived: Bool { state.pointee.hasReceived }
    /// Whether the response's head has come.
    package var hasHead: Bool { state.pointee.hasHead }

    /// What is to come of the response.
    fileprivate enum Input {
        /// Nothing: what comes all the same is a fault.
        case unexpected
        case head
        case length(UInt64)
        case chunked
        case untilClose
        case tunnel
    }

    init(pool: UpstreamPool, endpoint: Endpoint, at address: SocketAddress, _ policy: UpstreamPolicy) {
        self.pool = pool
        self.endpoint = endpoint
        self.address = address
        proxyProtocol = policy.proxyProtocol
        tls = endpoint.url.scheme == .https ? policy.tls : nil
        loop = pool.loop
        parser = .allocate(capacity: 1)
        parser.initialize(to: ResponseParser(limits: policy.http))
        decoder = .allocate(capacity: 1)
        decoder.initialize(to: ChunkedDecoder(limits: policy.http))
        keptHead = .allocate(byteCount: Self.keptHeadBytesMax, alignment: 8)
        state = .allocate(capacity: 1)
        state.initialize(to: State(pool.events))
        state.pointee.addressVersion = endpoint.addressVersion
    }

    deinit {
        parser.deinitialize(count: 1)
        parser.deallocate()
        decoder.deinitialize(count: 1)
        decoder.deallocate()
        keptHead.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    func open(_ channel: Channel) {
        ownChannel = channel
        channel.context = Unmanaged.passRetained(self).toOpaque()
        channel.setDeadline(loop.now &+ pool.policy.connectTimeout, on: loop)
        guard let tls else { return }
        state.pointee.secure = TLSClientConnection.open(channel, to: pool.target(of: endpoint, tls), on: loop)
        // No memory for a session.
        if state.pointee.secure == nil { loop.close(channel, reason: .failed) }
    }

    /// Whether the endpoint is still where it is connected to; as a rule one load.
    var isAtEndpoint: Bool {
        let version = endpoint.addressVersion
        guard version != state.pointee.addressVersion else { return true }
        guard endpoint.has(address) else { return false }
        state.pointee.addressVersion = version
        return true
    }

    // MARK: The taker's calls

    /// Takes the connection for a request with this method, whose head and body the taker writes to the channel.
    func lease(to taker: UpstreamEvents.Taker, method: HTTPMethod, route: Int) {
        state.pointee.taker = taker
        state.pointee.events = pool.events
        state.pointee.discardUntil = .max
        state.pointee.method = method
        state.pointee.route = route
        state.pointee.input = .head
        state.pointee.hasSentRequest = false
        state.pointee.requestedAt = loop.now
        state.pointee.hasReceived = false
        state.pointee.hasHead = false
        state.pointee.quietTurn = loop.turnNumber
        channel.setIdle(since: .max)
        if !channel.isConnecting { channel.setDeadline(.max, on: loop) }
        endpoint.noteRequest()
    }

    /// The request has been written to its end: when the response is whole, too, the connection serves the next.
    ///
    /// - Parameter headTimeout: how long the response's head may take from now on, and the connection where it does not
    ///   stand yet.
    package func endRequest(headTimeout: Nanoseconds = .max) {
        state.pointee.hasSentRequest = true
        state.pointee.requestedAt = loop.now
        state.pointee.headTimeout = headTimeout
        guard headTimeout != .max else { return }
        let limit = channel.isConnecting ? min(pool.policy.connectTimeout, headTimeout) : headTimeout
        channel.setDeadline(loop.now &+ limit, on: loop)
    }

    /// Whether the endpoint has closed the connection, which the loop has not been told yet; one system call.
    package var isStale: Bool { channel.hasInput(on: loop) }

    /// Gives the connection up where the endpoint has closed it while it was unused; one system call.
    package func cancelIfStale() -> Bool {
        guard isReused, isStale else { return false }
        cancel()
        return true
    }

    /// Gives the request up: the endpoint learns by the end of the connection.
    ///
    /// - Parameter isLate: whether that is because the response did not come in time.
    package func cancel(isLate: Bool = false) {
        guard state.pointee.taker != nil else { return }
        // An endpoint that waits for the rest of the request is not slow.
        if isLate, awaitsHead, state.pointee.hasSentRequest {
            endpoint.noteUnanswered(
                takePermit(),
                route: state.pointee.route,
                after: loop.now &- state.pointee.requestedAt,
                at: loop.now
            )
        }
        end()
        loop.close(channel)
    }

    /// Gives a tunnel up whose both halves have ended: what is queued is still sent.
    package func finish(writeTimeout: Nanoseconds) {
        guard state.pointee.taker != nil else { return }
        end()
        loop.finish(channel, writeTimeout: writeTimeout)
        loop.flush(channel)
    }

    /// Stops receiving until `resume`: whoever takes the response is slower than who sends it.
    package func pause() {
        channel.pause()
        channel.setDeadline(.max, on: loop)
    }

    package func resume() {
        guard channel.isPaused else { return }
        if awaitsHead { channel.setDeadline(headDeadline, on: loop) } else { extendDeadline() }
        channel.resume(on: loop)
    }

    /// The endpoint takes a body slower than it comes: it has so long to take more.
    package func awaitDrain() {
        // Until it stands, the connect timeout rules.
        if !channel.isConnecting { extendDeadline() }
    }

    // MARK: The loop's calls

    /// The table that a loop calls; it captures nothing and finds the connection in the channel's context.
    static let events = ChannelEvents(
        connected: { _, channel in withConnection(of: channel) { $0.connected() } },
        received: { _, channel, bytes in withConnection(of: channel) { $0.received(bytes) } },
        ended: { _, channel in withConnection(of: channel) { $0.ended() } },
        blocked: { _, _ in },
        drained: { _, channel in withConnection(of: channel) { $0.drained() } },
        timedOut: { _, channel in withConnection(of: channel) { $0.timedOut() } },
        closed: { _, channel, reason in
            guard let context = channel.context else { return }
            channel.context = nil
            Unmanaged<UpstreamConnection>.fromOpaque(context).takeRetainedValue().closed(reason)
        }
    )

    @inline(__always)
    private static func withConnection<R>(of channel: Channel, _ body: (UpstreamConnection) -> R) -> R {
        guard let context = channel.context else { preconditionFailure("a channel without its connection") }
        // Retained in `open`, released in `closed`, which is the last call.
        return Unmanaged<UpstreamConnection>.fromOpaque(context)._withUnsafeGuaranteedRef(body)
    }

    private func connected() {
        endpoint.noteOpened()
        channel.setDeadline(headDeadline, on: loop)
        if let taker = state.pointee.taker {
            state.pointee.quietTurn = loop.turnNumber
            takerEvents.pointee.connected(taker, self)
        } else {
            state.pointee.isReused = true
            pool.give(self)
        }
    }

    /// Works off what has come; answers how much was taken.
    private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let taker = state.pointee.taker else {
            // An idle connection has nothing to say.
            loop.close(channel)
            return bytes.count
        }
        // The wait that reported bytes was over before the request was sent: these do not answer it, and what does could
        // be taken for the answer to the next (RFC 9112 section 9.2). An answer that came while this turn went on, behind
        // such bytes, is lost with them.
        if state.pointee.quietTurn == loop.turnNumber, !bringsFirstAnswer {
            fail(.malformed(.unasked))
            return bytes.count
        }
        state.pointee.hasReceived = true
        // Who is told of these bytes is told that they are all, even if what follows is thrown away.
        let events = state.pointee.events
        var taken = 0
        working: while state.pointee.taker == taker, taken < bytes.count, !channel.isPaused {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            switch state.pointee.input {
            case .head:
                guard let count = receiveHead(rest, taker) else { break working }
                taken += count
            case .length(let remaining):
                let count = Int(min(UInt64(rest.count), remaining))
                taken += count
                if remaining == UInt64(count) {
                    state.pointee.input = .unexpected
                    takerEvents.pointee.body(taker, self, UnsafeRawBufferPointer(rebasing: rest[..<count]))
                    if state.pointee.taker == taker { finish(isLast: taken < bytes.count) }
                } else {
                    state.pointee.input = .length(remaining - UInt64(count))
                    takerEvents.pointee.body(taker, self, rest)
                }
            case .chunked:
                let count = receiveChunk(rest, taker)
                taken += count
                if count == 0 { break working }
            case .untilClose, .tunnel:
                taken = bytes.count
                takerEvents.pointee.body(taker, self, rest)
            case .unexpected:
                taken = bytes.count
            }
        }
        if state.pointee.taker == taker, !awaitsHead, !channel.isPaused { extendDeadline() }
        events.pointee.settled(taker, self)
        return state.pointee.isOpen ? taken : bytes.count
    }

    /// Whether what comes in the turn of the request answers it all the same: some of it was sent before the connection
    /// broke, so no wait has reported that, and nobody was served on it before. So ends an endpoint that does not want to
    /// read a body. With TLS it is not known whose bytes were sent.
    private var bringsFirstAnswer: Bool {
        channel.hasFailed && channel.sentByteCount > 0 && !state.pointee.hasServed && !channel.isTransformed
    }

    private var takerEvents: UnsafePointer<UpstreamEvents> { state.pointee.events }

    private var awaitsHead: Bool {
        if case .head = state.pointee.input { true } else { false }
    }

    /// Until when the response's head may come; `.max` while more of the request is to be sent.
    private var headDeadline: Nanoseconds {
        guard state.pointee.hasSentRequest, state.pointee.headTimeout != .max else { return .max }
        return state.pointee.requestedAt &+ state.pointee.headTimeout
    }

    /// Reads a head and tells it; nil while it is unfinished.
    private func receiveHead(_ bytes: UnsafeRawBufferPointer, _ taker: UpstreamEvents.Taker) -> Int? {
        // The bytes are the loop's, valid during this call.
        let span = Span<UInt8>(_unsafeBytes: bytes)
        if !repeatsHead(bytes) {
            forgetHead()
            switch parser.pointee.parse(span, answering: state.pointee.method) {
            case .incomplete:
                return nil
            case .invalid(let fault):
                fail(.malformed(fault))
                return bytes.count
            case .complete:
                keepHead(bytes)
            }
        }
        let head = parser.pointee.head
        let count = Int(head.byteCount)
        let headBytes = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        if head.isInterim {
            takerEvents.pointee.head(taker, self, headBytes)
            forgetHead()
            return count
        }
        noteAnswer(head, span)
        switch head.framing {
        case .none, .length(0): state.pointee.input = .unexpected
        case .length(let length): state.pointee.input = .length(length)
        case .chunked:
            decoder.pointee = ChunkedDecoder(limits: pool.policy.http)
            state.pointee.input = .chunked
        case .untilClose: state.pointee.input = .untilClose
        case .tunnel: state.pointee.input = .tunnel
        }
        takerEvents.pointee.head(taker, self, headBytes)
        if state.pointee.taker == taker, case .unexpected = state.pointee.input { finish(isLast: count < bytes.count) }
        return count
    }

    /// Whether `bytes` begin with the very head of the last response, to the same method: then what the parser found in
    /// that holds. Within a second, which is what Date says, many responses begin alike; to compare a head costs a
    /// fiftieth of reading it.
    private func repeatsHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = state.pointee.keptHeadCount
        guard count > 0, bytes.count >= count, state.pointee.keptMethod == state.pointee.method,
            let base = bytes.baseAddress, let kept = keptHead.baseAddress
        else { return false }
        return memcmp(base, kept, count) == 0
    }

    /// Has the parser begin anew, where it is not in the midst of a head.
    private func forgetHead() {
        guard state.pointee.keptHeadCount > 0 || parser.pointee.isFinished else { return }
        parser.pointee.reset()
        state.pointee.keptHeadCount = 0
    }

    private func keepHead(_ bytes: UnsafeRawBufferPointer) {
        let count = Int(parser.pointee.head.byteCount)
        guard count <= keptHead.count, !parser.pointee.head.isInterim else { return }
        keptHead.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        state.pointee.keptHeadCount = count
        state.pointee.keptMethod = state.pointee.method
    }

    @inline(__always)
    private func noteAnswer(_ head: ResponseHead, _ bytes: Span<UInt8>) {
        state.pointee.hasHead = true
        let latency = loop.now &- state.pointee.requestedAt
        endpoint.responseTimes.note(latency, route: state.pointee.route)
        endpoint.noteAnswer(
            status: head.status,
            retryAfter: head.status == 429 || head.status == 503 ? retryAfter(in: bytes) : nil,
            after: latency,
            permit: takePermit(),
            pool.policy.circuit,
            at: loop.now
        )
    }

    /// What `Retry-After` of a response asks for; nil where it has none.
    package func retryAfter(in bytes: Span<UInt8>) -> Nanoseconds? {
        guard let field = parser.pointee.fields.first(named: "retry-after", in: bytes) else { return nil }
        return RetryAfter.read(bytes.extracting(field.value.bounds))
    }

    /// What the breaker gave, for the one who tells it what came of the request.
    private func takePermit() -> CircuitPermit? {
        let permit = state.pointee.permit
        state.pointee.permit = nil
        return permit
    }

    private func receiveChunk(_ bytes: UnsafeRawBufferPointer, _ taker: UpstreamEvents.Taker) -> Int {
        // The bytes are the loop's, valid during this call.
        let span = Span<UInt8>(_unsafeBytes: bytes)
        switch decoder.pointee.next(span) {
        case .data(let skip, let count):
            takerEvents.pointee.body(taker, self, UnsafeRawBufferPointer(rebasing: bytes[skip..<(skip + count)]))
            return skip + count
        case .incomplete(let consumed):
            return consumed
        case .end(let consumed, let section):
            state.pointee.input = .unexpected
            finish(isLast: consumed < bytes.count, bytes, section)
            return consumed
        case .invalid(let fault):
            fail(.malformed(ResponseFault(fault)))
            return bytes.count
        }
    }

    private func ended() {
        guard let taker = state.pointee.taker else { return loop.close(channel) }
        switch state.pointee.input {
        case .untilClose:
            finish(isLast: true)
            takerEvents.pointee.settled(taker, self)
        case .tunnel:
            takerEvents.pointee.halfClosed(taker, self)
        case .head, .length, .chunked, .unexpected:
            fail(.closed)
        }
    }

    private func drained() {
        guard let taker = state.pointee.taker else { return }
        if awaitsHead { channel.setDeadline(headDeadline, on: loop) }
        takerEvents.pointee.drained(taker, self)
    }

    private func timedOut() {
        if channel.isConnecting { state.pointee.secure?.pointee.timedOut() }
        guard state.pointee.taker != nil else {
            if channel.isConnecting { endpoint.note(.connectTimeout) }
            return loop.close(channel)
        }
        // That it is slow with what nobody wants is no fault.
        if state.pointee.discardUntil != .max { return cancel() }
        if channel.isConnecting { return fail(.connectTimeout) }
        fail(awaitsHead && headDeadline <= loop.now ? .attemptTimeout : .timeout)
    }

    private func closed(_ reason: CloseReason) {
        state.pointee.isOpen = false
        let wasConnecting = channel.isConnecting
        let failure = state.pointee.secure?.pointee.closed(reason)
        state.pointee.secure = nil
        if let failure { endpoint.handshakes?.note(failure) }
        let fault: UpstreamFault = failure != nil ? .tls : wasConnecting ? .connect : .reset
        if state.pointee.taker != nil {
            fail(fault)
        } else if wasConnecting || failure != nil, reason == .failed {
            endpoint.note(fault)
        }
        pool.remove(self)
    }

    // MARK: The end of a request

    private func finish(
        isLast: Bool,
        _ bytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        _ section: ByteRange = .empty
    ) {
        guard let taker = state.pointee.taker else { return }
        let keeps =
            !isLast && state.pointee.hasSentRequest && parser.pointee.head.keepsAlive && pool.keepsConnections
            && proxyProtocol == nil
        end()
        takerEvents.pointee.ended(taker, self, bytes, section)
        if keeps, channel.isOpen {
            state.pointee.isReused = true
            state.pointee.hasServed = true
            // Who took the last piece may have paused behind it; the next response is somebody else's.
            channel.resume(on: loop)
            pool.give(self)
        } else {
            loop.close(channel)
        }
    }

    private func fail(_ fault: UpstreamFault) {
        guard let taker = state.pointee.taker else { return }
        endpoint.note(fault)
        // The end of an unused connection that has crossed the request says nothing of the endpoint.
        if !isStaleFault(fault) { noteFailure(fault) }
        end()
        loop.close(channel)
        takerEvents.pointee.failed(taker, self, fault)
    }

    private func noteFailure(_ fault: UpstreamFault) {
        let time = loop.now &- state.pointee.requestedAt
        switch fault {
        case .malformed:
            // It has answered, and its connections are sound: the breaker has nothing to say to that.
            endpoint.outcomes.note(.gatewayFailure)
            // That it is quick at nonsense must not draw requests.
            endpoint.load.noteFailure(after: time, at: loop.now)
        case .attemptTimeout:
            endpoint.noteTimeout(takePermit(), route: state.pointee.route, after: time, at: loop.now)
        case .connect, .tls, .connectTimeout, .reset, .closed, .timeout:
            pool.noteFailure(of: endpoint, takePermit(), after: time)
        }
    }

    /// Whether a fault is that of a connection that had been unused before.
    package func isStaleFault(_ fault: UpstreamFault) -> Bool {
        switch fault {
        // Or of bytes that nobody had asked for, which made the connection useless (RFC 9112 section 9.3.1).
        case .closed, .reset, .malformed: isReused && !hasReceived
        case .connect, .tls, .connectTimeout, .timeout, .attemptTimeout: false
        }
    }

    private func end() {
        if let permit = takePermit() { endpoint.circuit.abandoned(permit) }
        state.pointee.taker = nil
        state.pointee.input = .unexpected
        endpoint.noteRequestEnded()
    }

    private func extendDeadline() {
        // A tunnel may be silent for longer; its taker looks after it.
        if case .tunnel = state.pointee.input { return channel.setDeadline(.max, on: loop) }
        channel.setDeadline(min(loop.now &+ pool.policy.transferTimeout, state.pointee.discardUntil), on: loop)
    }
}
