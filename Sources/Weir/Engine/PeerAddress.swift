// SPDX-License-Identifier: Apache-2.0
// The address of a client as plain numbers, so that copying it into an exchange costs nothing.

import WeirEventLoop

/// A client's address without reference counting, and how it reached us.
struct PeerAddress {
    private enum Family: UInt8 {
        case ipv4
        case ipv6
        case unix
    }

    private var upper: UInt64 = 0
    private var lower: UInt64 = 0
    private var port: UInt16 = 0
    private var family = Family.unix
    /// Whether its connection is one of TLS.
    private(set) var isSecure = false
    /// Whether its handshake is not done yet: somebody else may have sent the request before (RFC 8470).
    var isEarly = false

    init() {}

    init(_ address: SocketAddress, isSecure: Bool, isEarly: Bool = false) {
        self.isSecure = isSecure
        self.isEarly = isEarly
        switch address {
        case .ipv4(let value, let port):
            lower = UInt64(value)
            self.port = port
            family = .ipv4
        case .ipv6(let upper, let lower, let port):
            self.upper = upper
            self.lower = lower
            self.port = port
            family = .ipv6
        case .unix:
            family = .unix
        }
    }

    /// The four octets as one number, for an IPv4 address.
    var ipv4: UInt32? { family == .ipv4 ? UInt32(truncatingIfNeeded: lower) : nil }

    var socketAddress: SocketAddress {
        switch family {
        case .ipv4: .ipv4(UInt32(truncatingIfNeeded: lower), port: port)
        case .ipv6: .ipv6(upper, lower, port: port)
        case .unix: .unix(path: "")
        }
    }
}
