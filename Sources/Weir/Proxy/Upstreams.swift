// SPDX-License-Identifier: Apache-2.0
// From settings and routes to upstreams.

import WeirEventLoop
import WeirUpstream

/// Makes the upstreams of an engine.
enum Upstreams {
    /// The name of the one that `WEIR_UPSTREAM` lists.
    static let defaultName = "default"

    /// One for each name that routes use, and the one of the settings.
    static func make(_ settings: Settings, _ references: [UpstreamReference]) throws(AppError) -> [Upstream] {
        let policy = UpstreamPolicy(settings)
        var upstreams: [Upstream] = []
        if !settings.upstream.endpoints.isEmpty {
            let endpoints = try list(settings.upstream.endpoints, defaultName)
            upstreams.append(Upstream(name: defaultName, endpoints: endpoints, policy: policy))
        }
        for reference in references {
            let isThere = upstreams.contains { $0.name == reference.name }
            guard let endpoints = reference.endpoints else {
                if isThere { continue }
                let known = upstreams.map(\.name).joined(separator: ", ")
                throw .routes(
                    "upstream \"\(reference.name)\" of a route is not in the settings; expected "
                        + (known.isEmpty ? "WEIR_UPSTREAM with its endpoints" : "one of: \(known)")
                )
            }
            guard !isThere else {
                throw .routes("upstream \"\(reference.name)\" is there twice; give one another name")
            }
            upstreams.append(
                Upstream(name: reference.name, endpoints: try list(endpoints, reference.name), policy: policy)
            )
        }
        return upstreams
    }

    private static func list(_ endpoints: [String], _ name: String) throws(AppError) -> [EndpointURL] {
        do throws(EndpointURLError) {
            return try EndpointURL.list(endpoints.joined(separator: ","))
        } catch {
            throw .routes("upstream \"\(name)\": \("\(error)".escapedForLine(quotes: false))")
        }
    }
}

extension UpstreamPolicy {
    init(_ settings: Settings) {
        self.init()
        connectionsMax = settings.upstream.connectionsMax
        waitingMax = settings.upstream.waitingMax
        connectTimeout = settings.upstream.connectTimeout.nanosecondsClamped
        idleTimeout = settings.upstream.idleTimeout.nanosecondsClamped
        transferTimeout = settings.upstream.transferTimeout.nanosecondsClamped
        proxyProtocol =
            switch settings.upstream.proxyProtocol {
            case .off: nil
            case .v1: .version1
            case .v2: .version2
            }
        http = ServerConfiguration(settings).http
    }
}
