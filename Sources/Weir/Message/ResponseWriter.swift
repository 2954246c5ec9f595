// SPDX-License-Identifier: Apache-2.0
// Writes a streamed body, held back by the client.

import WeirEventLoop

/// Writes the body of a streamed response.
///
/// Valid inside the closure that was given to ``Response/stream(status:contentType:length:_:)``.
public struct ResponseWriter: Sendable {
    let exchange: Exchange

    /// Sends `bytes`, and waits while more than `WEIR_OUTPUT_WINDOW` bytes are unsent.
    /// - Throws: `ResponseWriterError.closed` when the client is gone, `.tooLong` when more is written than the
    ///   response's length; `CancellationError` when the request was cancelled.
    public func write(_ bytes: [UInt8]) async throws {
        let loop = exchange.owner.loop
        guard loop.isCurrent else { return try await writeFromElsewhere(bytes, loop) }
        guard let connection = exchange.connection else { throw ResponseWriterError.closed }
        guard bytes.withUnsafeBytes({ connection.write(exchange, $0) }) else {
            throw exchange.connection == nil ? ResponseWriterError.closed : .tooLong
        }
        while exchange.connection?.isOutputFull == true {
            await withUnsafeContinuation { exchange.writers.append(.task($0)) }
            if exchange.connection == nil { throw ResponseWriterError.closed }
        }
    }

    /// Sends `text` as UTF-8.
    public func write(_ text: String) async throws {
        try await write([UInt8](text.utf8))
    }

    /// Sets fields to send behind the body, where it is chunked; others than chunked bodies have none.
    public func setTrailers(_ trailers: Headers) async {
        let exchange = exchange
        if exchange.owner.loop.isCurrent {
            exchange.parts.pointee.responseTrailers = trailers
        } else {
            await withUnsafeContinuation { continuation in
                exchange.owner.loop.submit { _ in
                    exchange.parts.pointee.responseTrailers = trailers
                    continuation.resume()
                }
            }
        }
    }

    private func writeFromElsewhere(_ bytes: [UInt8], _ loop: EventLoop) async throws {
        let exchange = exchange
        let outcome: Outcome = await withUnsafeContinuation { continuation in
            loop.submit { _ in Self.writeOnLoop(exchange, bytes, continuation) }
        }
        switch outcome {
        case .written: return
        case .closed: throw ResponseWriterError.closed
        case .tooLong: throw ResponseWriterError.tooLong
        }
    }

    private enum Outcome: Sendable {
        case written
        case closed
        case tooLong
    }

    private static func writeOnLoop(
        _ exchange: Exchange,
        _ bytes: [UInt8],
        _ continuation: UnsafeContinuation<Outcome, Never>
    ) {
        guard let connection = exchange.connection else { return continuation.resume(returning: .closed) }
        guard bytes.withUnsafeBytes({ connection.write(exchange, $0) }) else {
            return continuation.resume(returning: exchange.connection == nil ? .closed : .tooLong)
        }
        guard connection.isOutputFull else { return continuation.resume(returning: .written) }
        exchange.writers.append(
            .call { continuation.resume(returning: exchange.connection == nil ? .closed : .written) }
        )
    }
}

/// Why a piece of a streamed body could not be sent.
public enum ResponseWriterError: Error, Sendable {
    /// The client is gone, or has been answered otherwise.
    case closed
    /// More was written than the response's length said.
    case tooLong
    /// The body ended before the response's length was reached.
    case tooShort
}

/// A field that a handler set is no field.
struct ResponseFieldError: Error, CustomStringConvertible {
    let name: String
    var description: String { "the field \(name) has a name or a value that HTTP does not allow" }
}
