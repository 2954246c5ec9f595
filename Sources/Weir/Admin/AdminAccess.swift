// SPDX-License-Identifier: Apache-2.0
// Who may change something through the admin port. Pure.

package import WeirEventLoop

/// Loopback may, Unix sockets may (their file says who), and whoever shows the token.
package struct AdminAccess: Sendable {
    /// Nil where no token is set: then none is right.
    private let token: [UInt8]?
    private static let local = TrustedNetworks("loopback,unix") ?? TrustedNetworks()

    /// - Parameter token: empty for none.
    package init(token: String) {
        self.token = token.isEmpty ? nil : Array(token.utf8)
    }

    /// Whether this peer, with this Authorization field, may.
    package func permits(_ peer: SocketAddress, authorization: String?) -> Bool {
        Self.local.contains(peer) || authorization.map(isToken) ?? false
    }

    /// `Bearer <token>` (RFC 6750 section 2.1); the scheme in any case (RFC 9110 section 11.1).
    private func isToken(_ authorization: String) -> Bool {
        let scheme = "bearer "
        guard let token, authorization.prefix(scheme.count).lowercased() == scheme else { return false }
        return Self.equal(Array(authorization.dropFirst(scheme.count).utf8), token)
    }

    /// Takes as long for a wrong first byte as for a wrong last one, so that time tells nothing about the token but its
    /// length.
    private static func equal(_ given: [UInt8], _ token: [UInt8]) -> Bool {
        guard given.count == token.count else { return false }
        var difference: UInt8 = 0
        for index in token.indices { difference |= given[index] ^ token[index] }
        return difference == 0
    }
}
