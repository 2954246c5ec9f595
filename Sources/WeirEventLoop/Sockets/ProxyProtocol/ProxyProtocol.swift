// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol of HAProxy, versions 1 and 2 (haproxy/doc/proxy-protocol.txt): who is behind a connection that a
// load balancer passed on. Pure: no I/O, no clock, no state between calls.

/// Reads and writes the header that stands in front of a connection's bytes.
///
/// Only for listeners that are set to expect it, and for peers that are trusted: section 2 forbids guessing.
package enum ProxyProtocol {
    /// The longest line of version 1, with its CRLF (section 2.1).
    package static let lineBytesMax = 107

    /// The largest header of version 2 that is read, with its extensions. The format allows 65,551 bytes; senders stay
    /// below 536 so that the header fits in one segment, unless they pass on certificates' names.
    package static let headerBytesMax = 4096

    /// What has come of a header.
    package enum Outcome: Equatable, Sendable {
        /// More bytes are needed; at most `headerBytesMax` in all.
        case incomplete
        case complete(ProxyHeader)
        /// The bytes are not the beginning of any header.
        case notProxy
        case invalid(ProxyFault)
    }

    /// What a version 1 line begins with; what differs from it is no PROXY protocol.
    static let linePrefix: StaticString = "PROXY "

    /// What a version 2 header begins with.
    static let signature: InlineArray<12, UInt8> = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// Looks at everything that a connection has sent so far, from its first byte; it may go on behind the header.
    ///
    /// After `.incomplete` call again with the same bytes and more. Any other outcome stays the same whatever follows,
    /// so it does not depend on how the bytes arrive. A fault shows as soon as the bytes that make it are there; but
    /// addresses are only read when the header is whole, as section 2 demands.
    ///
    /// - Complexity: linear in the header. Does not allocate but for the paths of Unix sockets.
    package static func read(_ bytes: Span<UInt8>) -> Outcome {
        guard bytes.count > 0 else { return .incomplete }
        if bytes[0] == signature[0] {
            var index = 1
            while index < signature.count {
                if index == bytes.count { return .incomplete }
                if bytes[index] != signature[index] { return .notProxy }
                index &+= 1
            }
            return readVersion2(bytes)
        }
        switch match(linePrefix, bytes, at: 0) {
        case .matches: return readVersion1(bytes)
        case .incomplete: return .incomplete
        case .differs: return .notProxy
        }
    }

    enum Match {
        case matches
        /// What is there matches, and ends too early.
        case incomplete
        case differs
    }

    /// Whether `text` stands at `start`.
    static func match(_ text: StaticString, _ bytes: Span<UInt8>, at start: Int) -> Match {
        var index = 0
        while index < text.utf8CodeUnitCount {
            if start &+ index >= bytes.count { return .incomplete }
            // A StaticString's bytes live as long as the process; the index is below its length.
            if bytes[start &+ index] != text.utf8Start[index] { return .differs }
            index &+= 1
        }
        return .matches
    }
}
