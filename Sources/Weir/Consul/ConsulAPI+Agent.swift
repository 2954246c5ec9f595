// SPDX-License-Identifier: Apache-2.0
// /v1/agent: what registers services and checks, and reports on them.

import WeirUpstream

extension ConsulAPI {
    var agentEndpoints: [Endpoint] {
        [
            read("/v1/agent/self", summary: "who this is, for clients of Consul: docs/consul.md") { _ in agentSelf },
            read("/v1/agent/members") { _ in .array([member]) },
            read("/v1/agent/services") { _ in
                .object(
                    registry.services().value.map {
                        JSONValue.Field(name: $0.service.id, value: documents.agentService($0))
                    }
                )
            },
            read("/v1/agent/checks") { _ in
                .object(
                    registry.checks().value.map { check in
                        let service = check.serviceID.flatMap { registry.service($0)?.service }
                        return JSONValue.Field(name: check.id, value: documents.check(check, of: service))
                    }
                )
            },
            read("/v1/agent/service/*id") { request in
                let id = try request.parameter("id")
                guard let entry = registry.service(id) else { throw ConsulError(404, "unknown service ID: \(id)") }
                return documents.agentService(entry)
            },
            write("/v1/agent/service/register") { request, now in
                let (service, checks) = try ConsulRegistration.service(try request.body.collect())
                try registry.register(service, checks: checks, replacesChecks: try Self.replaces(request), now: now)
            },
            write("/v1/agent/service/deregister/*id") { request, _ in
                try registry.deregisterService(try request.parameter("id"))
            },
            write("/v1/agent/service/maintenance/*id") { request, _ in
                let (isOn, reason) = try Self.maintenance(request)
                try registry.setMaintenance(isOn, ofService: try request.parameter("id"), reason: reason)
            },
            write("/v1/agent/maintenance") { request, _ in
                let (isOn, reason) = try Self.maintenance(request)
                registry.setMaintenance(isOn, reason: reason)
            },
            write("/v1/agent/check/register") { request, now in
                let check = try ConsulRegistration.check(try request.body.collect())
                do throws(HealthRegistryError) {
                    try registry.register(check, now: now)
                } catch .unknownService(let id) {
                    throw ConsulError(404, "ServiceID \(ConsulError.quoted(id)) does not exist")
                }
            },
            write("/v1/agent/check/deregister/*id") { request, _ in
                try registry.deregisterCheck(try request.parameter("id"))
            },
            report("pass", .passing),
            report("warn", .warning),
            report("fail", .critical),
            write("/v1/agent/check/update/*id") { request, now in
                let (status, output) = try ConsulRegistration.update(try request.body.collect())
                try registry.report(status, output, of: try request.parameter("id"), now: now)
            },
        ]
    }

    private func report(_ word: String, _ status: CheckStatus) -> Endpoint {
        write("/v1/agent/check/\(word)/*id") { request, now in
            try registry.report(status, request.query["note"] ?? "", of: try request.parameter("id"), now: now)
        }
    }

    /// Given without a value, it is true.
    private static func replaces(_ request: Request) throws(ConsulError) -> Bool {
        guard let text = request.query["replace-existing-checks"], !text.isEmpty else {
            return request.query["replace-existing-checks"] != nil
        }
        guard let replaces = ConsulQueryOptions.bool(text) else {
            throw .badRequest("Invalid value for replace-existing-checks: \(ConsulError.quoted(text))")
        }
        return replaces
    }

    private static func maintenance(_ request: Request) throws(ConsulError) -> (isOn: Bool, reason: String) {
        guard let text = request.query["enable"] else { throw .badRequest("Missing value for enable") }
        guard let isOn = ConsulQueryOptions.bool(text) else {
            throw .badRequest("Invalid value for enable: \(ConsulError.quoted(text))")
        }
        return (isOn, request.query["reason"] ?? "")
    }

    private var agentSelf: JSONValue {
        let node = registry.node
        return .fields([
            "Config": .fields([
                "Datacenter": .string(ConsulDocuments.datacenter),
                "PrimaryDatacenter": .string(ConsulDocuments.datacenter), "NodeName": .string(node.name),
                "NodeID": .string(node.id), "Revision": .string(""), "Server": .bool(true),
                "Version": .string(WeirVersion.text),
            ]),
            "Coord": .null, "Member": member, "Stats": .object([]), "Meta": .object([]),
        ])
    }

    /// One member, which is alive: status 1.
    private var member: JSONValue {
        .fields([
            "Name": .string(registry.node.name), "Addr": .string(registry.node.address), "Port": .integer(0),
            "Tags": .fields(["role": .string("consul"), "dc": .string(ConsulDocuments.datacenter)]),
            "Status": .integer(1), "ProtocolMin": .integer(1), "ProtocolMax": .integer(5), "ProtocolCur": .integer(2),
            "DelegateMin": .integer(2), "DelegateMax": .integer(5), "DelegateCur": .integer(4),
        ])
    }
}
