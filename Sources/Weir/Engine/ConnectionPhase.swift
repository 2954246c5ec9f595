// SPDX-License-Identifier: Apache-2.0
// The states of a connection and of the two halves of an exchange.

/// Where an HTTP/1.1 connection is.
///
///     [proxyHeader ──>] idle ──first byte──> head ──complete──> exchange ──both halves done──> idle
///                         │                   │                    ├──101──> tunnel ──┐
///                         └───────────────────┴────────────────────┴──────────────────┴──> closing
enum ConnectionPhase {
    /// The header of the PROXY protocol is awaited.
    case proxyHeader
    /// Nothing of the next request has come.
    case idle
    /// Part of a head has come; the exchange is leased and keeps the parser's place.
    case head
    /// A request is being answered.
    case exchange
    /// Bytes go both ways, whatever they mean.
    case tunnel
    /// The last answer is on its way; what comes is ignored.
    case closing
}

/// The request's half of an exchange: what is still to come of its body.
enum BodyInput {
    case done
    case length(remaining: UInt64)
    /// The place within the coding is the exchange's decoder's.
    case chunked

    var isDone: Bool {
        if case .done = self { true } else { false }
    }
}

/// What becomes of the body's bytes.
enum BodySink {
    /// They are collected, and the handler runs when the body is whole.
    case collect(bytesMax: Int)
    /// They are handed to a reader, which holds the sender back.
    case stream
    /// They go on to an endpoint.
    case forward
    /// Nobody wants them; so many were thrown away.
    case discard(byteCount: Int)
}

/// The response's half of an exchange.
enum ResponseOutput {
    /// The head has not been written.
    case pending
    /// A body of known size is being copied out as the client takes it.
    case copying
    /// A writer produces a body; so many bytes are still owed.
    case sized(remaining: Int)
    /// A writer produces a body in chunks.
    case chunked
    /// A writer produces a body that ends with the connection (HTTP/1.0).
    case untilClose
    case done

    var isPending: Bool {
        if case .pending = self { true } else { false }
    }

    var isDone: Bool {
        if case .done = self { true } else { false }
    }
}
