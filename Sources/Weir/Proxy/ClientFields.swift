// SPDX-License-Identifier: Apache-2.0
// The fields that say who the client is, for one connection: its address does not change from request to request.

package import WeirEventLoop
import WeirHTTP

/// What is written about a connection's peer into each request that it sends on. Plain memory of the connection's, so
/// that using it counts no reference.
package struct ClientFields {
    /// The most bytes that all three come to.
    static let bytesMax = 256

    /// Nil until the first request that goes on: a connection without one pays nothing.
    private var memory: UnsafeMutableRawBufferPointer?
    private var addressCount = 0
    private var forwardedForCount = 0
    private var forwardedCount = 0
    /// Whether the connection is one of TLS.
    package private(set) var isSecure = false

    /// Empty, until `write`.
    package init() {}

    package func deallocate() {
        memory?.deallocate()
    }

    package var isEmpty: Bool { addressCount == 0 }

    /// The address's text; `unknown` for a peer without one.
    package var address: UnsafeRawBufferPointer { slice(0, addressCount) }

    /// `X-Forwarded-Proto: http` CRLF, `X-Forwarded-For: ` and the address, without a line end.
    package var forwardedFor: UnsafeRawBufferPointer { slice(addressCount, forwardedForCount) }

    /// `Forwarded: for=…;proto=http`, without a line end.
    package var forwarded: UnsafeRawBufferPointer { slice(addressCount + forwardedForCount, forwardedCount) }

    /// The field that says the scheme, with its line end.
    package var forwardedProto: StaticString {
        isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n"
    }

    package mutating func forget() {
        addressCount = 0
    }

    package mutating func write(_ peer: SocketAddress, isSecure: Bool) {
        self.isSecure = isSecure
        let text = peer.numericText
        let isIPv6 = if case .ipv6 = peer { true } else { false }
        let memory = self.memory ?? .allocate(byteCount: Self.bytesMax, alignment: 1)
        self.memory = memory
        var writer = HeadWriter(memory)
        Self.writeAddress(text, &writer)
        addressCount = writer.count
        writer.raw(forwardedProto)
        writer.raw("X-Forwarded-For: ")
        Self.writeAddress(text, &writer)
        forwardedForCount = writer.count - addressCount
        // Colons and brackets are no token's, so such an address stands in quotes (RFC 7239 section 6).
        writer.raw(isIPv6 ? "Forwarded: for=\"[" : "Forwarded: for=")
        Self.writeAddress(text, &writer)
        if isIPv6 { writer.raw("]\"") }
        writer.raw(isSecure ? ";proto=https" : ";proto=http")
        forwardedCount = writer.count - addressCount - forwardedForCount
        precondition(!writer.overflowed, "an address longer than addresses are")
    }

    private static func writeAddress(_ text: NumericAddressText, _ writer: inout HeadWriter) {
        if text.count == 0 { writer.raw("unknown") } else { writer.raw(text.span) }
    }

    private func slice(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        guard let memory else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: memory[start..<(start + count)])
    }
}
