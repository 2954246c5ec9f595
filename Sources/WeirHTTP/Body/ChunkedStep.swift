// SPDX-License-Identifier: Apache-2.0
// What one call of the chunked decoder says.

/// The next thing at the front of a chunked body's unread bytes.
package enum ChunkedStep: Equatable, Sendable {
    /// `skip` bytes of framing, then `count` (at least 1) bytes of the body; both are read now.
    case data(skip: Int, count: Int)
    /// `consumed` bytes of framing are read; the rest, if any, is the start of something unfinished. Keep it, and
    /// call again with it in front of what comes.
    case incomplete(consumed: Int)
    /// The body is over. `consumed` bytes are read, among them the trailer section at `trailers`: whole, valid field
    /// lines with their CRLFs, counted from the front of this call's bytes; empty without trailers.
    /// See `TrailerIterator`.
    case end(consumed: Int, trailers: ByteRange)
    /// Refused, for good. The offset counts from the first byte of the coded body.
    case invalid(RequestFault)
}
