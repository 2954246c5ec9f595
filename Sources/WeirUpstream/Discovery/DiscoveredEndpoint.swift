// SPDX-License-Identifier: Apache-2.0
// What a source of discovery says of one endpoint. A value.

/// What a source says of an endpoint's health; Consul's words.
package enum DiscoveredHealth: String, Sendable, CaseIterable {
    case passing
    case warning
    case critical
}

/// An endpoint that was found, with all that its source told.
package struct DiscoveredEndpoint: Sendable, Equatable {
    /// Where it is, and its weight while it is well. A name still has to be resolved.
    package var url: EndpointURL
    /// Its weight while its health is `warning`, from 0; nil where the source has no word on it.
    package var warningWeight: Int?
    /// Nil where the source knows nothing of health.
    package var health: DiscoveredHealth?
    /// What the Host field says where the client named no host: the name that the address was found under. Nil for what
    /// the URL itself says.
    package var authority: String?
    /// Where it runs, as `zone-a`; nil where the source does not say.
    package var zone: String?
    package var tags: [String]

    package init(
        _ url: EndpointURL,
        warningWeight: Int? = nil,
        health: DiscoveredHealth? = nil,
        authority: String? = nil,
        zone: String? = nil,
        tags: [String] = []
    ) {
        self.url = url
        self.warningWeight = warningWeight
        self.health = health
        self.authority = authority
        self.zone = zone
        self.tags = tags
    }
}

extension DiscoveredEndpoint {
    /// What it says of the share.
    var configuredWeight: ConfiguredWeight { ConfiguredWeight(url.weight, warning: warningWeight) }

    /// Its health as it is now: a weight of 0 is that of a critical one.
    var presentHealth: EndpointHealth {
        switch health {
        case nil: .unknown
        case .passing: .passing
        case .warning: warningWeight == 0 ? .critical : .warning
        case .critical: .critical
        }
    }
}

extension Endpoint {
    /// Whether it stays the same object: how it is spoken to, and its Host field, are written once.
    func isSame(as found: DiscoveredEndpoint) -> Bool {
        url.scheme == found.url.scheme && authorityBytes.elementsEqual((found.authority ?? found.url.authority).utf8)
    }
}
