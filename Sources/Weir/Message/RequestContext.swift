// SPDX-License-Identifier: Apache-2.0
// What surrounds a request: its deadline, its cancellation, its id, its client.

public import Logging
import Synchronization
import WeirEventLoop
import WeirHTTP

/// The circumstances of a request.
public struct RequestContext: Sendable {
    let exchange: Exchange

    /// The request that the present task works for: within asynchronous handlers and middleware, and the tasks that they
    /// make but detached ones. So what a handler calls learns of the deadline without being handed it.
    ///
    /// Synchronous handlers run in no task of their own; they have the context as their argument.
    @TaskLocal public static var current: RequestContext?

    /// Until when the response's head must be there; then the client is answered 504 and the handler is cancelled.
    public var deadline: ContinuousClock.Instant { .now.advanced(by: remaining) }

    /// What is left until the deadline; not below zero.
    public var remaining: Duration {
        let now = exchange.owner.loop.clock.now
        let deadline = exchange.deadline
        return deadline == .max ? .seconds(1 << 31) : .nanoseconds(deadline > now ? Int64(deadline - now) : 0)
    }

    /// Whether nobody waits for the answer any more: the client is gone, or the deadline has passed. A synchronous
    /// handler that works for long should look.
    public var isCancelled: Bool { exchange.isCancelled.load(ordering: .relaxed) }

    /// Calls `handler` when the request is cancelled; at once if it is already. Called on the event loop: be brief.
    public func onCancel(_ handler: @escaping @Sendable () -> Void) {
        let isLate = exchange.extras.withLock { extras in
            exchange.noteExtras()
            if extras.isCancelled { return true }
            extras.onCancel.append(handler)
            return false
        }
        if isLate { handler() }
    }

    /// Names this request in logs: the client's `X-Request-Id` where it is a plausible one (up to 128 visible ASCII
    /// characters), else a number of ours in hexadecimal.
    public var requestID: String {
        if let given = exchange.givenRequestID { return String(decoding: given, as: UTF8.self) }
        let hex = String(exchange.sequence, radix: 16)
        return String(repeating: "0", count: 16 - hex.count) + hex
    }

    /// The client's address, without its port: `10.0.0.1`, `2001:db8::1`; `unix:` over a Unix socket.
    public var client: String { exchange.peer.socketAddress.host }

    /// The app's logger with the request's id.
    public var logger: Logger {
        var logger = exchange.owner.server.logger
        logger[metadataKey: "request_id"] = .string(requestID)
        return logger
    }

    /// What middleware and handlers keep for each other during the request.
    public subscript<Key: RequestContextKey>(key: Key.Type) -> Key.Value? {
        get { exchange.extras.withLock { $0.values[ObjectIdentifier(key)] as? Key.Value } }
        nonmutating set {
            exchange.extras.withLock { extras in
                exchange.noteExtras()
                extras.values[ObjectIdentifier(key)] = newValue
            }
        }
    }

    /// The loop of the request, for a task of its own that outlives it: `Task(executorPreference:)`. A task that is made
    /// without it runs on the global pool, which has a thread for each CPU of the node.
    package var executor: any TaskExecutor { exchange.owner.loop }

    /// Lets the loop serve others, and goes on in the same turn of the loop. Does not allocate.
    public func yield() async {
        let owner = exchange.owner
        guard owner.loop.isCurrent else { return await Task.yield() }
        await withUnsafeContinuation { owner.yield($0) }
    }

    /// Suspends for at least `duration`, to the millisecond, on the loop's own timers.
    /// - Throws: `CancellationError` when the request was cancelled meanwhile.
    public func sleep(for duration: Duration) async throws {
        let loop = exchange.owner.loop
        guard loop.isCurrent else { return try await Task.sleep(for: duration) }
        try Task.checkCancellation()
        let sleeper = Sleeper(loop: loop)
        await withTaskCancellationHandler {
            await withUnsafeContinuation { sleeper.start(until: loop.clock.now &+ duration.nanosecondsClamped, $0) }
        } onCancel: {
            loop.submit { _ in sleeper.wake() }
        }
        try Task.checkCancellation()
    }
}

extension Exchange {
    /// The client's `X-Request-Id` where it is a plausible one; bytes of the head.
    var givenRequestID: UnsafeRawBufferPointer? {
        let isThere = parser.pointee.fields.seen.bits & (1 << UInt64(HeaderName.xRequestID.rawValue)) != 0
        guard isThere, headCount > 0, let field = parser.pointee.fields.first(.xRequestID) else { return nil }
        let given = bytes(field.value)
        // The exchange's own copy of the head.
        return RequestIDSyntax.isAcceptable(Span<UInt8>(_unsafeBytes: given)) ? given : nil
    }
}

/// Names a value that is kept in a ``RequestContext``.
public protocol RequestContextKey {
    associatedtype Value: Sendable
}

/// One suspension on a loop's timer. `@unchecked Sendable`: confined to the loop's thread.
private final class Sleeper: @unchecked Sendable {
    private let loop: EventLoop
    private var waiting: UnsafeContinuation<Void, Never>?
    private var timer: LoopTimer?

    init(loop: EventLoop) {
        self.loop = loop
    }

    func start(until instant: Nanoseconds, _ continuation: UnsafeContinuation<Void, Never>) {
        waiting = continuation
        let timer = LoopTimer { [unowned self] _ in wake() }
        self.timer = timer
        loop.schedule(timer, at: instant)
    }

    func wake() {
        guard let continuation = waiting else { return }
        waiting = nil
        if let timer { loop.cancel(timer) }
        continuation.resume()
    }
}
