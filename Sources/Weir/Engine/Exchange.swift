// SPDX-License-Identifier: Apache-2.0
// One request and its response: what the codec, the router and the handler share. Pooled by its loop.

import Synchronization
import WeirEventLoop
import WeirHTTP
import WeirRouting

/// A request in progress, between the codec that reads and writes it and whatever answers it.
///
/// The loop's thread owns it. `@unchecked Sendable`: what a handler reads from elsewhere (head, parameters, collected
/// body, route, instants) is fixed before the handler starts and until it has ended; the rest is touched on the loop
/// only, or is an atomic or under a mutex. An exchange is reused only when nobody holds it any more
/// (`ServerLoop.recycle`), so a handler that lets its request escape reads its own request for ever.
final class Exchange: @unchecked Sendable {
    unowned let owner: ServerLoop
    /// The connection that waits for the answer; nil when the answer no longer has a taker.
    unowned(unsafe) var connection: HTTP1Connection?

    // The head
    var parser: RequestParser
    var match = RouteMatch()
    private(set) var head: UnsafeMutableRawPointer
    private var headCapacity: Int
    private(set) var headCount = 0
    /// Where the normalized path lies within `head`.
    private(set) var pathStart = 0
    var route: Route?
    var peer = PeerAddress()
    /// Numbers the loop's requests; the request id comes from it.
    var sequence: UInt64 = 0

    // Time
    var startedAt: Nanoseconds = 0
    var deadline: Nanoseconds = .max

    // The two halves
    var input = BodyInput.done
    var decoder: ChunkedDecoder
    var sink = BodySink.discard(byteCount: 0)
    var collected: [UInt8] = []
    var pieces = PieceQueue()
    var trailers: [(name: String, value: String)] = []
    var owesContinue = false
    /// Set when the client broke the body off or what it sent is none.
    var inputFailure: RequestBodyError?
    var reader: Waiter?
    var output = ResponseOutput.pending
    var status: UInt16 = 0
    var pending = PendingBody()
    var writer: Waiter?
    var responseTrailers = Headers()
    /// A streamed response that a task has still to produce.
    var streamed: Response?
    /// What a worker made of the request; set before the message that hands it to the loop.
    var outcome: Result<Response, any Error>?

    // The handler
    var handlerTask: HandlerTask?
    /// The task of an asynchronous handler on the worker pool.
    var workerTask: Task<Void, Never>?
    let isCancelled = Atomic<Bool>(false)
    let extras = Mutex(Extras())

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
        var isCancelled = false
        var isUsed = false
    }

    init(owner: ServerLoop, limits: HTTPLimits) {
        self.owner = owner
        parser = RequestParser(limits: limits)
        decoder = ChunkedDecoder(limits: limits)
        headCapacity = 1024
        head = .allocate(byteCount: headCapacity, alignment: 16)
    }

    deinit {
        head.deallocate()
    }

    /// Copies the head, and the normalized path where it differs, so that both outlive the receive buffer.
    func keepHead(_ bytes: UnsafeRawBufferPointer, normalizedPath: UnsafeMutableRawPointer) {
        let count = Int(parser.head.byteCount)
        let extra = match.usesScratch ? match.normalizedCount : 0
        if count + extra > headCapacity {
            head.deallocate()
            headCapacity = (count + extra) * 2
            head = .allocate(byteCount: headCapacity, alignment: 16)
        }
        if let base = bytes.baseAddress { head.copyMemory(from: base, byteCount: count) }
        headCount = count
        pathStart = Int(parser.head.path.start)
        if match.usesScratch {
            (head + count).copyMemory(from: normalizedPath, byteCount: extra)
            pathStart = count
        }
    }

    /// Makes ready for the next request; the memory stays.
    func reset() {
        parser.reset()
        connection = nil
        headCount = 0
        input = .done
        if !collected.isEmpty { collected = [] }
        pieces.removeAll()
        if !trailers.isEmpty { trailers = [] }
        owesContinue = false
        inputFailure = nil
        output = .pending
        if pending.isActive { pending = PendingBody() }
        handlerTask = nil
        workerTask = nil
        streamed = nil
        outcome = nil
        if !responseTrailers.isEmpty { responseTrailers = Headers() }
        if isCancelled.load(ordering: .relaxed) { isCancelled.store(false, ordering: .relaxed) }
        extras.withLock { if $0.isUsed { $0 = Extras() } }
        if headCapacity > 16384 {
            head.deallocate()
            headCapacity = 1024
            head = .allocate(byteCount: headCapacity, alignment: 16)
        }
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
        if parser.head.path.isEmpty && !match.usesScratch { return parser.head.form == .asterisk ? "*" : "/" }
        return String(
            decoding: UnsafeRawBufferPointer(start: head + pathStart, count: match.normalizedCount),
            as: UTF8.self
        )
    }

    func parameter(_ index: Int) -> String {
        let (start, count) = match.parameter(index)
        return String(decoding: UnsafeRawBufferPointer(start: head + pathStart + start, count: count), as: UTF8.self)
    }

    /// The client no longer waits or may no longer: whoever works on the answer is told. On the loop's thread.
    func cancel() {
        guard !isCancelled.exchange(true, ordering: .relaxed) else { return }
        handlerTask?.cancel()
        workerTask?.cancel()
        let handlers = extras.withLock { extras in
            extras.isCancelled = true
            extras.isUsed = true
            let handlers = extras.onCancel
            extras.onCancel = []
            return handlers
        }
        for handler in handlers { handler() }
        wakeReader()
        wakeWriter()
    }

    func wakeReader() {
        guard let waiting = reader else { return }
        reader = nil
        waiting.wake()
    }

    func wakeWriter() {
        guard let waiting = writer else { return }
        writer = nil
        waiting.wake()
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
