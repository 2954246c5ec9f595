// SPDX-License-Identifier: Apache-2.0
// A request's body, as a stream of pieces or whole.

import Synchronization
import WeirEventLoop
import WeirHTTP

/// The body of a request.
///
/// An asynchronous handler starts before the body has come, and reads it as an asynchronous sequence of pieces; while
/// nobody reads, at most `WEIR_BODY_WINDOW` bytes and one receive (68 KiB) are held, and the client is held back. A
/// synchronous handler starts when the body is whole, so it never waits for a client: `collect` answers at once.
///
/// The body is read once: a second reader finds its end.
public struct RequestBody: Sendable, AsyncSequence {
    public typealias Element = [UInt8]

    let exchange: Exchange

    /// How many bytes the body has, as the request's head says (RFC 9110 section 8.6): 0 where there is none, nil where
    /// it is chunked and only its end tells. Nothing of it need have come.
    public var length: Int? { exchange.parser.pointee.head.framing == .none ? 0 : exchange.bodyBytesSaid }

    /// The whole body. For synchronous handlers; never waits.
    /// - Parameter limit: the most bytes that are wanted; nil for the route's limit.
    /// - Throws: `RequestBodyError.tooLarge` (413); `.notWhole` from an asynchronous handler, which must await the
    ///   body (500).
    public func collect(upTo limit: ByteCount? = nil) throws -> [UInt8] {
        guard exchange.isBodyWhole else { throw RequestBodyError.notWhole }
        let bytes = exchange.parts.pointee.collected
        if let limit, bytes.count > limit.bytes { throw RequestBodyError.tooLarge(limit) }
        return bytes
    }

    /// The whole body, waiting for it.
    /// - Parameter limit: the most bytes that are wanted; nil for the route's limit (`WEIR_BODY_BYTES`).
    /// - Throws: `RequestBodyError`: too large (413), too slow (408), broken off or malformed (400), no memory for it
    ///   (503).
    public func collect(upTo limit: ByteCount? = nil) async throws -> [UInt8] {
        if exchange.isBodyWhole { return try collectNow(limit) }
        // What the loops can never hold is too large, whatever is wanted.
        let limit = ByteCount.bytes(
            Swift.min(limit?.bytes ?? exchange.route?.bodyBytesMax ?? 0, exchange.collectedBytesMax)
        )
        if case .length(let count) = exchange.parser.pointee.head.framing, count > UInt64(limit.bytes) {
            throw RequestBodyError.tooLarge(limit)
        }
        var whole: [UInt8] = []
        var iterator = Iterator(exchange: exchange, keepsAll: true)
        while let piece = try await iterator.next() {
            if whole.count + piece.count > limit.bytes { throw RequestBodyError.tooLarge(limit) }
            if whole.isEmpty {
                whole = piece
                continue
            }
            // As `Exchange.collect`.
            if whole.count + piece.count > whole.capacity, let count = exchange.bodyBytesSaid {
                whole.reserveCapacity(count)
            }
            whole.append(contentsOf: piece)
        }
        return whole
    }

    private func collectNow(_ limit: ByteCount?) throws -> [UInt8] {
        try collect(upTo: limit)
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(exchange: exchange)
    }

    /// Reads the body piece by piece; pieces have the sizes in which they came.
    public struct Iterator: AsyncIteratorProtocol {
        let exchange: Exchange
        /// Whether the pieces are kept until the body is whole.
        var keepsAll = false

        /// The next piece, never empty; nil at the end.
        /// - Throws: `RequestBodyError`: too slow (408), broken off or malformed (400).
        public mutating func next() async throws -> [UInt8]? {
            let loop = exchange.owner.loop
            while true {
                switch await Self.take(exchange, loop, keepsAll: keepsAll) {
                case .piece(let piece): return piece
                case .end: return nil
                case .failed(let error): throw error
                case .wait: continue
                }
            }
        }

        private enum Taken: Sendable {
            case piece([UInt8])
            case end
            case failed(RequestBodyError)
            case wait
        }

        private static func take(_ exchange: Exchange, _ loop: EventLoop, keepsAll: Bool) async -> Taken {
            guard loop.isCurrent else {
                // Elsewhere (workers, an actor of the user's): the loop answers.
                return await withUnsafeContinuation { continuation in
                    loop.submit { _ in
                        let taken = takeOnLoop(exchange, keepsAll: keepsAll)
                        guard case .wait = taken else { return continuation.resume(returning: taken) }
                        exchange.readers.append(.call { continuation.resume(returning: .wait) })
                    }
                }
            }
            let taken = takeOnLoop(exchange, keepsAll: keepsAll)
            guard case .wait = taken else { return taken }
            await withUnsafeContinuation { exchange.readers.append(.task($0)) }
            return .wait
        }

        private static func takeOnLoop(_ exchange: Exchange, keepsAll: Bool) -> Taken {
            if let piece = exchange.parts.pointee.pieces.popFirst() {
                if keepsAll { exchange.collectedBytes += piece.count }
                exchange.noteHeld()
                let window = exchange.owner.loop.window(exchange.owner.configuration.bodyWindowBytes)
                if exchange.parts.pointee.pieces.byteCount <= window / 2 {
                    exchange.connection?.bodyWindowOpened(exchange)
                }
                return .piece(piece)
            }
            if !exchange.parts.pointee.collected.isEmpty {
                // A synchronous handler's body is whole; a stream that it returned may read it as one piece.
                let whole = exchange.parts.pointee.collected
                exchange.parts.pointee.collected = []
                exchange.noteHeld()
                return .piece(whole)
            }
            if let failure = exchange.inputFailure { return .failed(failure) }
            if exchange.input.isDone {
                keepTrailers(exchange)
                return .end
            }
            guard let connection = exchange.connection, exchange.takesBody else { return .failed(.disconnected) }
            if keepsAll, !exchange.hasMemoryToCollect {
                exchange.collectedBytes = 0
                exchange.noteHeld()
                return .failed(.noMemory)
            }
            connection.sendContinue(exchange)
            return .wait
        }

        /// Hands the trailers over together with the end: a reader elsewhere must not look at the loop's own.
        private static func keepTrailers(_ exchange: Exchange) {
            guard !exchange.parts.pointee.trailers.isEmpty else { return }
            let trailers = RequestBody.trailers(of: exchange)
            exchange.extras.withLock { extras in
                exchange.noteExtras()
                extras.values[ObjectIdentifier(TrailersKey.self)] = trailers
            }
        }
    }

    /// The trailer fields that came behind a chunked body (RFC 9112 section 7.1.2); empty until its end was read, and
    /// after the response.
    public var trailers: Headers {
        // A whole body had its trailers before the handler was called; they do not change any more.
        if exchange.isBodyWhole { return Self.trailers(of: exchange) }
        return exchange.extras.withLock { $0.values[ObjectIdentifier(TrailersKey.self)] as? Headers } ?? Headers()
    }

    private static func trailers(of exchange: Exchange) -> Headers {
        var headers = Headers()
        for (name, value) in exchange.parts.pointee.trailers { headers.add(name, value) }
        return headers
    }

    /// Where the trailers lie among what is kept with the request.
    private enum TrailersKey {}
}

/// Why a request's body could not be read.
public enum RequestBodyError: Error, Sendable, Equatable {
    /// It is larger than the handler or the route allows: 413.
    case tooLarge(ByteCount)
    /// The client did not send for too long or sent too slowly: 408.
    case timedOut
    /// The client went away: nobody is answered.
    case disconnected
    /// What came is no chunked coding: 400.
    case malformed
    /// The body was to be collected, and there is no memory for it now (`WEIR_BUFFER_MEMORY`): 503.
    case noMemory
    /// An asynchronous handler asked for the body without awaiting it: 500, a mistake in the handler.
    case notWhole

    var status: Status {
        switch self {
        case .tooLarge: .contentTooLarge
        case .timedOut: .requestTimeout
        case .disconnected, .malformed: .badRequest
        case .noMemory: .serviceUnavailable
        case .notWhole: .internalServerError
        }
    }

    var message: String {
        switch self {
        case .tooLarge(let limit): "the body has more than \(limit.bytes) bytes"
        case .timedOut: "the request's body took too long"
        case .disconnected: "the request's body was broken off"
        case .malformed: "the request's body is malformed"
        case .noMemory: "there is no memory for the request's body now"
        case .notWhole: "the request's body could not be read"
        }
    }
}
