// SPDX-License-Identifier: Apache-2.0
// When a request may be sent again after it has failed on a connection.

import WeirUpstream

extension UpstreamConnection {
    /// How many endpoints are tried that cannot be connected to, and how often a connection that was closed while it
    /// was unused.
    private static let attemptsMax = 3

    /// Whether the request can be sent again without the danger that it is carried out twice; `attempts` have failed
    /// before this one.
    func allowsRetry(after fault: UpstreamFault, attempts: Int, isIdempotent: Bool) -> Bool {
        guard attempts + 1 < Self.attemptsMax else { return false }
        switch fault {
        case .connect, .connectTimeout:
            // Nothing was sent; another endpoint may be there, or another address of this one.
            return pool.upstream.addressCount > attempts + 1
        case .closed, .reset, .malformed:
            // An unused connection's end has crossed the request (RFC 9112 section 9.3.1), or bytes that nobody had
            // asked for, which made the connection useless.
            return isReused && !hasReceived && isIdempotent
        case .timeout:
            return false
        }
    }
}
