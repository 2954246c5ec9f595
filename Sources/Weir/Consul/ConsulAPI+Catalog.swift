// SPDX-License-Identifier: Apache-2.0
// /v1/health, /v1/catalog and /v1/status: what asks for services and their health, and may wait for a change.

import WeirUpstream

extension ConsulAPI {
    var catalogEndpoints: [Endpoint] {
        [
            query("/v1/health/service/*name") { request, query in
                let health = registry.health(of: try Self.name(request))
                let wanted = health.value.filter {
                    query.matchesTags($0.entry.service) && (!query.wantsPassing || $0.status == .passing)
                }
                return Indexed(.array(wanted.map(documents.health)), health.index)
            },
            query("/v1/health/checks/*name") { request, _ in
                let health = registry.health(of: try Self.name(request))
                let checks = health.value.flatMap { instance in
                    instance.checks.filter { $0.serviceID != nil }.map {
                        documents.check($0, of: instance.entry.service)
                    }
                }
                return Indexed(.array(checks), health.index)
            },
            query("/v1/health/state/:state", of: .checks) { request, _ in
                try checks(state: try request.parameter("state"))
            },
            query("/v1/health/node/:node", of: .checks) { request, _ in
                guard try request.parameter("node") == registry.node.name else {
                    return Indexed(.array([]), registry.index(of: .checks))
                }
                return try checks(state: "any")
            },
            query("/v1/catalog/services", of: .services) { _, _ in
                let services = registry.services()
                let tags = Dictionary(grouping: services.value, by: \.service.name).mapValues { instances in
                    JSONValue.strings(Set(instances.flatMap(\.service.tags)).sorted())
                }
                return Indexed(.map(tags), services.index)
            },
            query("/v1/catalog/service/*name") { request, query in
                let health = registry.health(of: try Self.name(request))
                let wanted = health.value.map(\.entry).filter { query.matchesTags($0.service) }
                return Indexed(.array(wanted.map(documents.catalogService)), health.index)
            },
            query("/v1/catalog/nodes", of: .node) { _, _ in
                Indexed(.array([documents.nodeDocument]), registry.index(of: .node))
            },
            query("/v1/catalog/node/:node", of: .services) { request, _ in
                let services = registry.services()
                guard try request.parameter("node") == registry.node.name else {
                    return Indexed(.null, services.index)
                }
                let fields = services.value.map {
                    JSONValue.Field(name: $0.service.id, value: documents.agentService($0))
                }
                return Indexed(
                    .fields(["Node": documents.nodeDocument, "Services": .object(fields)]),
                    services.index
                )
            },
            read("/v1/catalog/datacenters") { _ in .strings([ConsulDocuments.datacenter]) },
            read("/v1/status/leader") { _ in .string(leader) },
            read("/v1/status/peers") { _ in .strings([leader]) },
        ]
    }

    /// Consul's servers talk on this port; here it stands for the instance itself.
    private var leader: String {
        let address = registry.node.address
        return address.contains(":") ? "[\(address)]:8300" : "\(address):8300"
    }

    /// The name of a service in the path.
    private static func name(_ request: Request) throws -> String {
        let name = try request.parameter("name")
        guard !name.isEmpty else { throw ConsulError.badRequest("Missing service name") }
        return name
    }

    /// The checks with this status.
    private func checks(state: String) throws(ConsulError) -> Indexed<JSONValue> {
        let status = CheckStatus(rawValue: state)
        let isAny = state == "any"
        guard isAny || status != nil else {
            throw .badRequest("Invalid state \(ConsulError.quoted(state)); expected any, passing, warning or critical")
        }
        let checks = registry.checks()
        let wanted = checks.value.filter { isAny || $0.status == status }.map { check in
            documents.check(check, of: check.serviceID.flatMap { registry.service($0)?.service })
        }
        let ofNode = isAny || status == .passing ? [documents.nodeCheck] : []
        return Indexed(.array(ofNode + wanted), checks.index)
    }
}
