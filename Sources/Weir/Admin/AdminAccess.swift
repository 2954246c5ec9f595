// SPDX-License-Identifier: Apache-2.0
// Who may change something through the admin port. Pure.

package import WeirEventLoop

/// Where a token is set, whoever shows it. Without one, loopback and Unix sockets, whose file says who.
package struct AdminAccess: Sendable {
    /// Nil where no token is set: then none is right.
    private let token: [UInt8]?
    private static let local = TrustedNetworks("loopback,unix") ?? TrustedNetworks()

    /// - Parameter token: empty for none.
    package init(token: String) {
        self.token = token.isEmpty ? nil : Array(token.utf8)
    }

    /// Whether this peer may write, with this Authorization field, or with the token as Consul's clients send it.
    package func permits(_ peer: SocketAddress, authorization: String?, consulToken: String? = nil) -> Bool {
        guard token != nil else { return Self.local.contains(peer) }
        return authorization.map(isBearer) ?? false || consulToken.map(isToken) ?? false
    }

    /// Whether this peer may begin the drain. Whoever is in the pod may without the token, which a `preStop` hook cannot
    /// read from a secret; it could as well send the process a signal.
    package func permitsDrain(_ peer: SocketAddress, authorization: String?) -> Bool {
        Self.local.contains(peer) || permits(peer, authorization: authorization)
    }

    /// `Bearer <token>` (RFC 6750 section 2.1); the scheme in any case (RFC 9110 section 11.1).
    private func isBearer(_ authorization: String) -> Bool {
        let scheme = "bearer "
        guard authorization.prefix(scheme.count).lowercased() == scheme else { return false }
        return isToken(String(authorization.dropFirst(scheme.count)))
    }

    private func isToken(_ given: String) -> Bool {
        token.map { Self.equal(Array(given.utf8), $0) } ?? false
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
