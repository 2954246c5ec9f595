// SPDX-License-Identifier: Apache-2.0
// What a Consul server is asked for, and how. A value, made at start.

package import WeirEventLoop

/// Why a query cannot be sent.
package enum ConsulQueryError: Error, Equatable, CustomStringConvertible, Sendable {
    case noService
    case invalidToken

    package var description: String {
        switch self {
        case .noService: "the service has no name"
        case .invalidToken: "the token is empty, or has a blank or a character that is not visible ASCII"
        }
    }
}

/// The instances of one service, by the health endpoint of Consul's HTTP API, version 1.
package struct ConsulQuery: Sendable {
    /// For how long the server holds a query back while nothing changes. It adds up to a sixteenth, so that not all
    /// clients come at once.
    package static let waitSeconds: UInt64 = 60
    /// How long an answer may take beyond that.
    package static let slack: Nanoseconds = 10_000_000_000

    /// Where Consul answers.
    package let server: EndpointURL
    package let service: String
    /// All of which an instance must have.
    package var tags: [String] = []
    package var datacenter: String?
    /// Whether instances that are not passing are left out, instead of coming with their health.
    package var passingOnly = false
    private let token: String?

    /// - Parameter token: the ACL token, which is shown nowhere.
    package init(server: EndpointURL, service: String, token: String? = nil) throws(ConsulQueryError) {
        guard !service.isEmpty else { throw .noService }
        if let token {
            guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .invalidToken }
        }
        self.server = server
        self.service = service
        self.token = token
    }

    /// The whole request. With an index the server answers when it knows something newer, or at the end of the wait.
    package func request(index: UInt64) -> [UInt8] {
        var target = "/v1/health/service/\(service.percentEncoded)?wait=\(Self.waitSeconds)s"
        if index > 0 { target += "&index=\(index)" }
        if passingOnly { target += "&passing=true" }
        for tag in tags { target += "&tag=\(tag.percentEncoded)" }
        if let datacenter { target += "&dc=\(datacenter.percentEncoded)" }
        var head = "GET \(target) HTTP/1.1\r\nHost: \(server.authority)\r\nAccept: application/json\r\n"
        if let token { head += "X-Consul-Token: \(token)\r\n" }
        return Array((head + "\r\n").utf8)
    }

    /// How long the whole answer may take.
    package static var answerTimeout: Nanoseconds { (waitSeconds + waitSeconds / 16) * 1_000_000_000 + slack }
}
