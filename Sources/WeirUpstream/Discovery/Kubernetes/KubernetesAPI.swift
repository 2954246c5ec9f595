// SPDX-License-Identifier: Apache-2.0
// Where a cluster's API server is, and who asks it. A value, made at start.

import WeirEventLoop

/// The way to an API server.
package struct KubernetesAPI: Sendable, CustomStringConvertible {
    /// Where the kubelet mounts a pod's service account: `token`, `ca.crt` and `namespace`.
    package static let accountDefault = "/var/run/secrets/kubernetes.io/serviceaccount"

    package let url: EndpointURL
    /// The folder of the service account.
    package let account: String

    package init(_ url: EndpointURL, account: String = accountDefault) {
        self.url = url
        self.account = account
    }

    /// Reads `http://host[:port]` or `https://host[:port]`; nil where it is neither.
    package init?(parsing text: String, account: String = accountDefault) {
        guard !text.contains(";"), let url = try? EndpointURL(parsing: text), url.port != nil else { return nil }
        self.init(url, account: account)
    }

    /// The way that the kubelet tells each pod (`KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT`); nil outside of one.
    package init?(environment: [String: String], account: String = accountDefault) {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty else { return nil }
        let authority = host.contains(":") ? "[\(host)]" : host
        let port = environment["KUBERNETES_SERVICE_PORT"].map { ":\($0)" } ?? ""
        self.init(parsing: "https://\(authority)\(port)", account: account)
    }

    package var description: String { url.description }

    /// Whether connections are to be TLS.
    package var isSecure: Bool { url.scheme == .https }

    /// The file of those who sign the server's certificate.
    package var authoritiesFile: String { "\(account)/ca.crt" }

    /// The server's name, or its numeric address: what its certificate is for. Empty for a Unix socket.
    package var host: String { url.host ?? "" }

    /// Whether a token may be shown: nobody else hears it.
    package var isPrivate: Bool {
        if isSecure { return true }
        guard case .address(let address) = url.place else { return false }
        switch address {
        case .ipv4(let value, _): return value >> 24 == 127
        case .ipv6(0, 1, _): return true
        case .ipv6: return false
        case .unix: return true
        }
    }
}
