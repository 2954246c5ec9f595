// SPDX-License-Identifier: Apache-2.0
// Why Consul cannot be asked, for people: what a provider reports. Nothing here shows a token.

/// What keeps a provider from Consul.
package enum ConsulProblem: Error, Equatable, CustomStringConvertible, Sendable {
    /// The server's name has no address now.
    case unresolved(server: String)
    case unanswered(server: String, FetchFault)
    /// Answered with another status than 200; and the beginning of what it said.
    case refused(server: String, status: Int, text: String)
    /// Answered with what is no list of instances.
    case malformed(server: String)

    package var description: String {
        switch self {
        case .unresolved(let server): "\(server): the name has no address now"
        case .unanswered(let server, let fault): "\(server): \(fault)"
        case .refused(let server, 403, let text):
            "\(server) refuses the token, which needs service:read and node:read: \(text)"
        case .refused(let server, let status, let text): "\(server) answered \(status): \(text)"
        case .malformed(let server): "\(server) answered with what is no list of a service's instances"
        }
    }
}
