// SPDX-License-Identifier: Apache-2.0
// How a response's body is delimited (RFC 9112 section 6.3).

/// Where a response's body ends.
package enum ResponseFraming: Equatable, Sendable {
    /// No body follows: the answer to HEAD, 1xx, 204 and 304, whatever the fields say.
    case none
    /// Exactly so many bytes follow, at most `Int64.max`.
    case length(UInt64)
    /// The chunked coding follows: see `ChunkedDecoder`.
    case chunked
    /// Whatever comes until the other side closes. Whether it is all of it nobody can tell.
    case untilClose
    /// No more HTTP: 101 or 2xx to CONNECT. What follows belongs to the protocol that was switched to.
    case tunnel
}
