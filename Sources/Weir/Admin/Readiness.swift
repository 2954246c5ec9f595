// SPDX-License-Identifier: Apache-2.0
// Whether requests should be sent here: what /readyz answers. Pure.

package import WeirUpstream

/// Whether requests should be sent here, and why not. Overload is no reason: nothing here knows of it.
package enum Readiness: Equatable, Sendable {
    case ready
    case starting
    case draining
    /// The source of an upstream has said nothing yet: its endpoints are not known.
    case awaitingEndpoints
    /// There are endpoints, and none of them has taken a connection yet.
    case noEndpointAnswered

    package init(_ stage: ServiceStage, upstreams: [Upstream]) {
        switch stage {
        case .starting: self = .starting
        case .draining: self = .draining
        case .serving:
            // Once is enough: endpoints that fail later fail everywhere, and a pod that is taken out does not help.
            let awaited = upstreams.filter(\.policy.gatesReadiness)
            // A source that cannot be read has had its word: one of many that fails is no reason to serve nobody.
            guard !awaited.contains(where: \.edition.awaitsEndpoints) else {
                self = .awaitingEndpoints
                return
            }
            self = awaited.isEmpty || awaited.contains { $0.hasAnswered } ? .ready : .noEndpointAnswered
        }
    }

    /// What the probe reads.
    package var text: String {
        switch self {
        case .ready: "ready\n"
        case .starting: "not ready: starting\n"
        case .draining: "not ready: draining\n"
        case .awaitingEndpoints: "not ready: the endpoints of an upstream are not known yet\n"
        case .noEndpointAnswered: "not ready: no endpoint has answered yet\n"
        }
    }

    var response: Response { .text(text, status: self == .ready ? .ok : .serviceUnavailable) }
}
