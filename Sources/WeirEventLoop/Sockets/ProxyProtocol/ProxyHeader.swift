// SPDX-License-Identifier: Apache-2.0
// What a PROXY protocol header says. Pure value.

/// A whole, valid header in front of a connection's bytes.
package struct ProxyHeader: Equatable, Sendable {
    /// The header's length: what follows it belongs to the connection.
    package let byteCount: Int
    package let origin: Origin

    /// For whom the connection was made.
    package enum Origin: Equatable, Sendable {
        /// For the sender itself, a health check say: the connection's own addresses are right. Version 2 only.
        case local
        /// For somebody whose address the sender does not know or cannot say: nothing better than the connection's own
        /// addresses is there.
        case unknown
        /// For `source`, which had connected to `destination`. Both are of one family, but for IPv4-mapped IPv6, which
        /// becomes IPv4.
        case proxied(source: SocketAddress, destination: SocketAddress)
    }

    package init(byteCount: Int, origin: Origin) {
        self.byteCount = byteCount
        self.origin = origin
    }

    /// The client, or nil where the connection's own peer is to be taken for it.
    package var source: SocketAddress? {
        if case .proxied(let source, _) = origin { source } else { nil }
    }

    /// Where the client had connected to, or nil where this connection's own end is to be taken for it.
    package var destination: SocketAddress? {
        if case .proxied(_, let destination) = origin { destination } else { nil }
    }

    /// Whether the sender made the connection for itself.
    package var isLocal: Bool { origin == .local }
}
