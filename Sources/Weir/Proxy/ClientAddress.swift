// SPDX-License-Identifier: Apache-2.0
// Who the client is: the peer, or, where the peer is a proxy that is trusted, the one it speaks for. Pure.

package import WeirEventLoop
package import WeirHTTP

/// The walk from the peer towards the client, hop by hop, as long as the hops are trusted.
///
/// Each proxy writes who asked *it*. So the peer's word counts if the peer is trusted, the word of the hop that it names
/// if that one is trusted, and so on; the first address that is not trusted is the client, whatever else stands to its
/// left, which the client may have made up. Where all are trusted it is the one that is farthest away. At an element
/// that names no address (`unknown`, junk) the walk ends with the last address that is known.
///
/// The trusted proxies must write the field that is read, or take a client's away: X-Forwarded-For if the request has
/// one, else Forwarded.
package struct ClientAddress {
    /// How many hops are looked at. A list of more trusted ones is a loop or an attack, and ends with the last looked
    /// at.
    package static let hopsMax = 32

    /// The client so far. Without a port where the proxy says none: it is 0 then.
    package private(set) var address: SocketAddress
    private let trusted: TrustedNetworks
    private var hopCount = 0
    /// Whether `address` stays as it is, whatever follows.
    package private(set) var isFinal: Bool

    /// `peer` is the connection's other end, or the source that a trusted PROXY header named for it.
    package init(peer: SocketAddress, trusted: TrustedNetworks) {
        self.trusted = trusted
        address = peer
        isFinal = !trusted.contains(peer)
    }

    /// The client of the request that `parser` has read. `bytes` is what was parsed.
    ///
    /// - Complexity: linear in the fields, and in what is read of their values times the number of trusted blocks. Does
    ///   not allocate.
    package static func resolve(
        peer: SocketAddress,
        request parser: borrowing RequestParser,
        bytes: Span<UInt8>,
        trusted: TrustedNetworks
    ) -> SocketAddress {
        var client = ClientAddress(peer: peer, trusted: trusted)
        let name = parser.hasField(.xForwardedFor) ? HeaderName.xForwardedFor : .forwarded
        guard !client.isFinal, parser.hasField(name) else { return client.address }
        // Lines of one name are one list (RFC 9110 section 5.3), whose end is in the last line.
        var index = parser.fieldCount
        while index > 0, !client.isFinal {
            index &-= 1
            let field = parser.field(index)
            guard field.known == name else { continue }
            if name == .xForwardedFor {
                client.followForwardedFor(field.value, bytes)
            } else {
                client.followForwarded(field.value, bytes)
            }
        }
        return client.address
    }

    /// Follows one X-Forwarded-For value; of several lines the last comes first.
    package mutating func followForwardedFor(_ value: ByteRange, _ bytes: Span<UInt8>) {
        var nodes = ForwardedForIterator(value)
        while !isFinal, let node = nodes.next(bytes) { follow(node, bytes) }
    }

    /// Follows one Forwarded value; of several lines the last comes first. An element without `for` names nobody.
    package mutating func followForwarded(_ value: ByteRange, _ bytes: Span<UInt8>) {
        var elements = ForwardedIterator(value)
        while !isFinal, let step = elements.next(bytes) {
            switch step {
            case .element(let element): follow(element.source ?? .unknown, bytes)
            case .malformed: isFinal = true
            }
        }
    }

    private mutating func follow(_ node: ForwardedNode, _ bytes: Span<UInt8>) {
        guard case .address(let text, let port) = node,
            let next = SocketAddress(numeric: bytes.extracting(text.bounds), port: port ?? 0)
        else {
            isFinal = true
            return
        }
        address = next
        hopCount &+= 1
        isFinal = hopCount == Self.hopsMax || !trusted.contains(next)
    }
}
