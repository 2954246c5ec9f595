// SPDX-License-Identifier: Apache-2.0
// Who may change something through the admin port.

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
    ///
    /// - Parameter isProgram: false for what a page in a browser may have sent, which loopback says nothing of.
    package func permits(
        _ peer: SocketAddress,
        authorization: String?,
        consulToken: String? = nil,
        isProgram: Bool = true
    ) -> Bool {
        guard token != nil else { return isProgram && Self.local.contains(peer) }
        return authorization.map(isBearer) ?? false || consulToken.map(isToken) ?? false
    }

    /// Whether this peer may begin the drain. Whoever is in the pod may without the token, which a `preStop` hook
    /// cannot read from a secret; it could as well send the process a signal.
    package func permitsDrain(_ peer: SocketAddress, authorization: String?, isProgram: Bool = true) -> Bool {
        isProgram && Self.local.contains(peer) || permits(peer, authorization: authorization, isProgram: isProgram)
    }

    /// Whether a program has sent a request, and no page in a browser that somebody has open beside a `kubectl
    /// port-forward`: its requests come from loopback as well.
    ///
    /// Browsers say of a request that a page makes where it comes from (Origin, Sec-Fetch-Site), and pages cannot leave
    /// that out; but not of one for an http name that is the page's own. Such a name may have been made to lead here
    /// (DNS rebinding), so no name is taken but `localhost`, which nobody can give an address to.
    ///
    /// - Parameter host: the request's authority; empty where it names none.
    package static func isProgram(_ peer: SocketAddress, host: String, origin: String?, site: String?) -> Bool {
        // No browser connects to one.
        if case .unix = peer { return true }
        return origin == nil && site ?? "none" == "none" && isOwn(host)
    }

    private static func isOwn(_ authority: String) -> Bool {
        var host = authority[...]
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") { host = host[..<colon] }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty || host.lowercased() == "localhost" || SocketAddress(host: String(host), port: 0) != nil
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

extension AdminAccess {
    func permits(_ request: Request, consulToken: String? = nil) -> Bool {
        permits(
            request.exchange.peer.socketAddress,
            authorization: request.headers["authorization"],
            consulToken: consulToken,
            isProgram: Self.isProgram(request)
        )
    }

    func permitsDrain(_ request: Request) -> Bool {
        permitsDrain(
            request.exchange.peer.socketAddress,
            authorization: request.headers["authorization"],
            isProgram: Self.isProgram(request)
        )
    }

    private static func isProgram(_ request: Request) -> Bool {
        isProgram(
            request.exchange.peer.socketAddress,
            host: request.host,
            origin: request.headers["origin"],
            site: request.headers["sec-fetch-site"]
        )
    }
}
