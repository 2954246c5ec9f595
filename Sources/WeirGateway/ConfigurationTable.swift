// SPDX-License-Identifier: Apache-2.0
// What `weir check` prints of upstreams, pools and routes. Pure.

package import Weir
import WeirUpstream

/// A line for each upstream, pool and route: what it is, and what it is about.
package enum ConfigurationTable {
    /// In the order of the file; nothing where there is nothing.
    package static func text(_ configuration: GatewayConfiguration) -> String {
        let lines =
            configuration.upstreams.map { "upstream  \($0.name)  \(source($0))  \($0.balance.rawValue)" }
            + configuration.pools.map { "pool  \($0.name)" }
            + configuration.routes.map { "route  \(match($0.match))  \(action($0.action))" }
        return lines.map { "\($0)\n" }.joined()
    }

    private static func source(_ upstream: UpstreamConfiguration) -> String {
        upstream.discover?.description ?? upstream.endpoints.map(\.description).joined(separator: ",")
    }

    private static func match(_ match: RequestMatch) -> String {
        let words = [
            match.methods.isEmpty ? "*" : match.methods.map(\.rawValue).joined(separator: ","),
            match.hosts.joined(separator: ",") + match.paths.joined(separator: ","),
            match.headers.map(\.name).joined(separator: ","),
        ]
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    private static func action(_ action: RouteConfiguration.Action) -> String {
        switch action {
        case .redirect(let redirect): "redirect \(redirect.status) \(redirect.target)"
        case .forward(let shares) where shares.count == 1: "upstream \(shares[0].upstream)"
        case .forward(let shares): "split " + shares.map { "\($0.upstream)=\($0.weight)" }.joined(separator: ",")
        }
    }
}
