// SPDX-License-Identifier: Apache-2.0
// What a loop writes down of a finished request: plain numbers, copied as they are. The log's thread makes text of it.

package import WeirEventLoop
package import WeirHTTP

/// One finished request. In a ring, the bytes of a request id that the client gave follow it.
package struct AccessRecord: BitwiseCopyable, Sendable {
    /// The most bytes of a request id (``RequestContext/requestID``).
    package static let idBytesMax = RequestIDSyntax.bytesMax
    /// Bytes of a record in a ring, without the id.
    package static let byteCount = MemoryLayout<AccessRecord>.stride

    /// Monotonic time; `nanoseconds` later the request was over.
    package var startedAt: Nanoseconds
    package var nanoseconds: Nanoseconds
    /// Bytes of the bodies, as they were before they were chunked.
    package var bytesIn: UInt64 = 0
    package var bytesOut: UInt64 = 0
    /// The request id where the client gave none.
    package var sequence: UInt64 = 0
    /// The trace and the span (W3C Trace Context), zero where there is none.
    package var traceHigh: UInt64 = 0
    package var traceLow: UInt64 = 0
    package var spanID: UInt64 = 0
    var peer: PeerAddress
    /// Index in the log's route names, -1 for none.
    package var route: Int32 = -1
    /// Index in the same names of the tag, -1 for none.
    package var tag: Int32 = -1
    /// Index in the log's endpoint names, -1 for none.
    package var endpoint: Int16 = -1
    /// 0 where the connection ended before there was an answer.
    package var status: UInt16
    /// The raw value of an ``HTTPMethod``.
    package var method: UInt8
    package var reason = AccessReason.none
    /// Bytes of the id that follows, 0 for none.
    package var idByteCount: UInt8 = 0

    package init(
        method: HTTPMethod,
        status: UInt16,
        client: SocketAddress,
        startedAt: Nanoseconds,
        nanoseconds: Nanoseconds,
        isSecure: Bool = false
    ) {
        self.method = method.rawValue
        self.status = status
        self.startedAt = startedAt
        self.nanoseconds = nanoseconds
        peer = PeerAddress(client, isSecure: isSecure)
    }

    /// What `exchange` says of itself when it is over.
    @inline(__always)
    init(_ exchange: Exchange, route: Int32, tag: Int32, nanoseconds: Nanoseconds, idByteCount: Int) {
        startedAt = exchange.startedAt
        self.nanoseconds = nanoseconds
        bytesIn = exchange.bodyBytesIn
        bytesOut = exchange.bodyBytesOut
        sequence = exchange.sequence
        traceHigh = exchange.traceHigh
        traceLow = exchange.traceLow
        spanID = exchange.spanID
        peer = exchange.peer
        self.route = route
        self.tag = tag
        endpoint = exchange.endpointIndex
        status = exchange.status
        method = exchange.parser.pointee.head.method.rawValue
        reason = exchange.reason
        self.idByteCount = UInt8(truncatingIfNeeded: idByteCount)
    }
}
