// SPDX-License-Identifier: Apache-2.0
// What the registry holds, with Consul's field names and types. Pure.

package import WeirUpstream

/// Writes services, checks and the node.
package struct ConsulDocuments: Sendable {
    package static let datacenter = "dc1"

    package let node: HealthNode
    /// The index of the node's registration.
    package let nodeIndex: UInt64

    package init(node: HealthNode, nodeIndex: UInt64) {
        self.node = node
        self.nodeIndex = nodeIndex
    }

    // MARK: The node

    package var nodeDocument: JSONValue {
        .fields([
            "ID": .string(node.id), "Node": .string(node.name), "Address": .string(node.address),
            "Datacenter": .string(Self.datacenter), "TaggedAddresses": nodeAddresses, "Meta": .object([]),
            "CreateIndex": .index(nodeIndex), "ModifyIndex": .index(nodeIndex),
        ])
    }

    private var nodeAddresses: JSONValue {
        let family = node.address.contains(":") ? "ipv6" : "ipv4"
        let address = JSONValue.string(node.address)
        return .map(["lan": address, "lan_\(family)": address, "wan": address, "wan_\(family)": address])
    }

    /// The check that says that the node is there; Consul has it for each node.
    package var nodeCheck: JSONValue {
        check(
            id: "serfHealth",
            name: "Serf Health Status",
            status: "passing",
            output: "Agent alive and reachable",
            createIndex: nodeIndex,
            modifyIndex: nodeIndex
        )
    }

    // MARK: Services

    /// As the agent's own endpoints say it.
    package func agentService(_ entry: RegisteredService) -> JSONValue {
        let service = entry.service
        return .fields([
            "ID": .string(service.id), "Service": .string(service.name), "Tags": .strings(service.tags),
            "Meta": .map(service.meta.mapValues(JSONValue.string)), "Port": .integer(service.port),
            "Address": .string(service.address), "TaggedAddresses": addresses(service), "Weights": weights(service),
            "EnableTagOverride": .bool(service.enablesTagOverride), "Datacenter": .string(Self.datacenter),
        ])
    }

    /// As `/v1/health/service/:name` says it.
    package func health(_ health: ServiceHealth) -> JSONValue {
        let service = health.entry.service
        let serviceDocument = JSONValue.fields([
            "ID": .string(service.id), "Service": .string(service.name), "Tags": .strings(service.tags),
            "Address": .string(service.address), "TaggedAddresses": addresses(service),
            "Meta": .map(service.meta.mapValues(JSONValue.string)), "Port": .integer(service.port),
            "Weights": weights(service), "EnableTagOverride": .bool(service.enablesTagOverride),
            "Proxy": Self.proxy, "Connect": .object([]), "PeerName": .string(""),
            "CreateIndex": .index(health.entry.createIndex), "ModifyIndex": .index(health.entry.modifyIndex),
        ])
        let checks = health.checks.map { check($0, of: $0.serviceID == nil ? nil : service) }
        return .fields([
            "Node": nodeDocument, "Service": serviceDocument, "Checks": .array([nodeCheck] + checks),
        ])
    }

    /// As `/v1/catalog/service/:name` says it.
    package func catalogService(_ entry: RegisteredService) -> JSONValue {
        let service = entry.service
        return .fields([
            "ID": .string(node.id), "Node": .string(node.name), "Address": .string(node.address),
            "Datacenter": .string(Self.datacenter), "TaggedAddresses": nodeAddresses, "NodeMeta": .object([]),
            "ServiceKind": .string(""), "ServiceID": .string(service.id), "ServiceName": .string(service.name),
            "ServiceTags": .strings(service.tags), "ServiceAddress": .string(service.address),
            "ServiceTaggedAddresses": addresses(service), "ServiceWeights": weights(service),
            "ServiceMeta": .map(service.meta.mapValues(JSONValue.string)), "ServicePort": .integer(service.port),
            "ServiceSocketPath": .string(""), "ServiceEnableTagOverride": .bool(service.enablesTagOverride),
            "ServiceProxy": Self.proxy, "ServiceConnect": .object([]),
            "CreateIndex": .index(entry.createIndex), "ModifyIndex": .index(entry.modifyIndex),
        ])
    }

    private static let proxy = JSONValue.fields([
        "Mode": .string(""), "MeshGateway": .object([]), "Expose": .object([]),
    ])

    private func weights(_ service: HealthService) -> JSONValue {
        .fields(["Passing": .integer(service.weights.passing), "Warning": .integer(service.weights.warning)])
    }

    private func addresses(_ service: HealthService) -> JSONValue {
        .map(
            service.taggedAddresses.mapValues { .fields(["Address": .string($0.address), "Port": .integer($0.port)]) }
        )
    }

    // MARK: Checks

    /// A check, with what it says of the service that it is of.
    package func check(_ entry: RegisteredCheck, of service: HealthService?) -> JSONValue {
        let definition = entry.definition
        return check(
            id: entry.id,
            name: entry.name,
            status: entry.status.rawValue,
            notes: entry.notes,
            output: entry.output,
            service: service,
            type: definition?.typeName ?? "maintenance",
            interval: definition.map { GoDuration.text($0.interval) } ?? "",
            timeout: definition.map { GoDuration.text($0.timeout) } ?? "",
            createIndex: entry.createIndex,
            modifyIndex: entry.modifyIndex
        )
    }

    private func check(
        id: String,
        name: String,
        status: String,
        notes: String = "",
        output: String,
        service: HealthService? = nil,
        type: String = "",
        interval: String = "",
        timeout: String = "",
        createIndex: UInt64,
        modifyIndex: UInt64
    ) -> JSONValue {
        .fields([
            "Node": .string(node.name), "CheckID": .string(id), "Name": .string(name), "Status": .string(status),
            "Notes": .string(notes), "Output": .string(output), "ServiceID": .string(service?.id ?? ""),
            "ServiceName": .string(service?.name ?? ""), "ServiceTags": .strings(service?.tags ?? []),
            "Type": .string(type), "Interval": .string(interval), "Timeout": .string(timeout),
            "ExposedPort": .integer(0), "Definition": .object([]), "CreateIndex": .index(createIndex),
            "ModifyIndex": .index(modifyIndex),
        ])
    }
}
