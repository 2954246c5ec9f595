// SPDX-License-Identifier: Apache-2.0
// The fields that say who the client is, for one connection: its address does not change from request to request.

import WeirEventLoop
import WeirHTTP

/// What is written about a connection's peer into each request that it sends on.
struct ClientFields {
    /// The address's text; `unknown` for a peer without one.
    let address: [UInt8]
    /// `X-Forwarded-Proto: http` CRLF and `X-Forwarded-For: ` and the address, without a line end.
    let forwardedFor: [UInt8]
    /// `Forwarded: for=…;proto=http;host="`, to be followed by the host and `"` CRLF.
    let forwarded: [UInt8]

    init(_ peer: SocketAddress) {
        let text = peer.numericText
        var address: [UInt8] = []
        for index in 0..<text.count { address.append(text.span[index]) }
        let isNumeric = !address.isEmpty
        if !isNumeric { address = Array("unknown".utf8) }
        self.address = address
        forwardedFor = Array("X-Forwarded-Proto: http\r\nX-Forwarded-For: ".utf8) + address
        var node = address
        if case .ipv6 = peer { node = Array("\"[".utf8) + address + Array("]\"".utf8) }
        forwarded = Array("Forwarded: for=".utf8) + node + Array(";proto=http;host=\"".utf8)
    }

    /// The most bytes that the two come to, without host and earlier hops.
    static let bytesMax = 256
}
