// SPDX-License-Identifier: Apache-2.0
// Connections that proxies make for somebody else: the PROXY protocol's header, and the client's address.

import WeirEventLoop
import WeirHTTP
import WeirMetrics

extension HTTP1Connection {
    /// Reads the header that begins the connection of a trusted proxy; nil while it is unfinished.
    func receiveProxyHeader(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard !bytes.isEmpty else { return nil }
        // The bytes are the loop's, valid during this call.
        switch ProxyProtocol.read(Span<UInt8>(_unsafeBytes: bytes)) {
        case .incomplete:
            return nil
        case .complete(let header):
            if let source = header.source { speaks(for: source, at: header.destination) }
            endProxyHeader()
            return header.byteCount
        case .notProxy, .invalid:
            // Whoever is configured to send one and does not is not to be believed about anything.
            metrics.increment(.parseFault400)
            breakOff()
            return bytes.count
        }
    }

    /// Finds the client behind the trusted proxies that the request came through.
    func resolveClient(_ exchange: Exchange) {
        let seen = exchange.parser.pointee.fields.seen
        guard seen.contains(.xForwardedFor) || seen.contains(.forwarded) else { return }
        exchange.peer = PeerAddress(
            ClientAddress.resolve(
                peer: peer.socketAddress,
                request: exchange.parser.pointee,
                bytes: Span<UInt8>(_unsafeBytes: exchange.wholeHead),
                trusted: configuration.trustedProxies
            ),
            isSecure: peer.isSecure,
            isEarly: peer.isEarly
        )
    }
}
