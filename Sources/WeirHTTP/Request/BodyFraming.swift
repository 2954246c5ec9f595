// SPDX-License-Identifier: Apache-2.0
// How a request's body is delimited (RFC 9112 section 6.3).

/// Where a request's body ends.
package enum BodyFraming: Equatable, Sendable {
    /// Neither Content-Length nor Transfer-Encoding: no body follows.
    case none
    /// Exactly so many bytes follow, at most `Int64.max`.
    case length(UInt64)
    /// The chunked coding follows: see `ChunkedDecoder`.
    case chunked
}
