// SPDX-License-Identifier: Apache-2.0
// What can be registered: services, their checks, and the node that they are on. Values; pure.

/// Where the registry is: what Consul calls the node.
package struct HealthNode: Sendable, Equatable {
    package let id: String
    package let name: String
    /// Stands for services that are registered without an address.
    package let address: String

    package init(id: String, name: String, address: String) {
        self.id = id
        self.name = name
        self.address = address
    }
}

/// A service's share of requests beside the other instances of its name, by its status. Critical has none.
package struct ServiceWeights: Sendable, Equatable {
    package static let max = 65_535

    package var passing = 1
    package var warning = 1

    package init(passing: Int = 1, warning: Int = 1) {
        self.passing = passing
        self.warning = warning
    }

    /// What is wrong with them, in Consul's words; nil if nothing is.
    package var fault: String? {
        if passing < 1 { return "Passing must be greater than 0" }
        if warning < 0 { return "Warning must be greater or equal than 0" }
        if passing > Self.max || warning > Self.max { return "DNS Weight must be between 0 and 65535" }
        return nil
    }
}

/// An address that a service has for a purpose.
package struct ServiceAddress: Sendable, Equatable {
    package let address: String
    package let port: Int

    package init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}

/// One instance of a service.
package struct HealthService: Sendable, Equatable {
    package var id: String
    package var name: String
    /// Empty for the node's.
    package var address: String
    package var port: Int
    package var tags: [String]
    package var meta: [String: String]
    package var weights: ServiceWeights
    package var taggedAddresses: [String: ServiceAddress]
    package var enablesTagOverride: Bool

    package init(
        id: String,
        name: String,
        address: String = "",
        port: Int = 0,
        tags: [String] = [],
        meta: [String: String] = [:],
        weights: ServiceWeights = ServiceWeights(),
        taggedAddresses: [String: ServiceAddress] = [:],
        enablesTagOverride: Bool = false
    ) {
        self.id = id
        self.name = name
        self.address = address
        self.port = port
        self.tags = tags
        self.meta = meta
        self.weights = weights
        self.taggedAddresses = taggedAddresses
        self.enablesTagOverride = enablesTagOverride
    }

    /// How much memory its texts take, for the registry's bound.
    var byteCount: Int {
        var count = id.utf8.count + name.utf8.count + address.utf8.count
        for tag in tags { count += tag.utf8.count }
        for (key, value) in meta { count += key.utf8.count + value.utf8.count }
        for (key, value) in taggedAddresses { count += key.utf8.count + value.address.utf8.count }
        return count
    }
}

/// A check as it is registered.
package struct HealthCheck: Sendable, Equatable {
    package var id: String
    package var name: String
    package var notes: String
    /// Nil for the node as a whole.
    package var serviceID: String?
    /// Until the first result; critical where nothing is said.
    package var status: CheckStatus
    package var definition: CheckDefinition

    package init(
        id: String,
        name: String,
        notes: String = "",
        serviceID: String? = nil,
        status: CheckStatus = .critical,
        definition: CheckDefinition
    ) {
        self.id = id
        self.name = name
        self.notes = notes
        self.serviceID = serviceID
        self.status = status
        self.definition = definition
    }

    var byteCount: Int {
        var count = id.utf8.count + name.utf8.count + notes.utf8.count
        if case .http(let check) = definition.kind {
            count += check.url.text.utf8.count + check.body.utf8.count
            for field in check.fields { count += field.name.utf8.count + field.value.utf8.count }
        }
        return count
    }
}
