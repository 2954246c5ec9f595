// SPDX-License-Identifier: Apache-2.0
// The part of a registration that is a check: what is checked, and how its results count. Pure.

import WeirUpstream

extension ConsulRegistration {
    static func check(_ value: JSONValue, _ what: String) throws(ConsulError) -> HealthCheck {
        var object = try ConsulObject(value, what)
        let id = try object.string("ID")
        let checkID = try object.string("CheckID")
        let name = try object.string("Name") ?? ""
        let notes = try object.string("Notes") ?? ""
        let serviceID = try object.string("ServiceID") ?? ""
        let statusText = try object.string("Status") ?? ""
        let definition = try definition(&object)
        object.ignore(
            "Token",
            "Namespace",
            "Partition",
            "DisableRedirects",
            "TLSSkipVerify",
            "TLSServerName",
            "OutputMaxSize",
            "ServiceName",
            "ServiceTags"
        )
        try object.end()
        guard statusText.isEmpty || CheckStatus(rawValue: statusText) != nil else {
            throw .badRequest("Status for checks must 'passing', 'warning', 'critical'")
        }
        if let fault = definition.fault { throw .badRequest("Invalid check: \(fault)") }
        return HealthCheck(
            id: id ?? checkID ?? "",
            name: name,
            notes: notes,
            serviceID: serviceID.isEmpty ? nil : serviceID,
            status: CheckStatus(rawValue: statusText) ?? .critical,
            definition: definition
        )
    }

    private static func definition(_ object: inout ConsulObject) throws(ConsulError) -> CheckDefinition {
        let http = try object.string("HTTP") ?? ""
        let tcp = try object.string("TCP") ?? ""
        let request = try request(&object)
        let ttl = try object.duration("TTL")
        var definition = CheckDefinition(.ttl(ttl))
        definition.interval = try object.duration("Interval")
        definition.timeout = try object.duration("Timeout")
        definition.deregisterCriticalServiceAfter = try object.duration("DeregisterCriticalServiceAfter")
        definition.thresholds = try thresholds(&object)
        do throws(ConsulError) {
            try object.refuse("Args", "ScriptArgs", "Script", "Shell", "DockerContainerID", "GRPC", "GRPCUseTLS")
            try object.refuse("H2PING", "H2PingUseTLS", "UDP", "TCPUseTLS", "OSService", "AliasNode", "AliasService")
        } catch {
            throw .badRequest("Invalid check: \(error.text); expected HTTP, TCP or TTL")
        }
        if !http.isEmpty || !tcp.isEmpty, definition.interval > .zero, ttl > .zero {
            throw .badRequest("Invalid check: Interval and TTL cannot both be specified")
        }
        do throws(CheckURLError) {
            if !http.isEmpty {
                var check = HTTPCheck(try CheckURL(parsing: http))
                (check.method, check.fields, check.body) = request
                definition.kind = .http(check)
            } else if !tcp.isEmpty {
                definition.kind = .tcp(try EndpointURL.Place(hostAndPort: tcp))
            }
        } catch {
            throw .badRequest("Invalid check: \(error)")
        }
        return definition
    }

    private static func thresholds(_ object: inout ConsulObject) throws(ConsulError) -> CheckCounter.Thresholds {
        let warning = try object.integer("FailuresBeforeWarning") ?? 0
        return CheckCounter.Thresholds(
            successBeforePassing: try object.integer("SuccessBeforePassing") ?? 0,
            failuresBeforeWarning: warning == 0 ? nil : warning,
            failuresBeforeCritical: try object.integer("FailuresBeforeCritical") ?? 0
        )
    }

    private static func request(
        _ object: inout ConsulObject
    ) throws(ConsulError) -> (method: String, fields: [CheckField], body: String) {
        let method = try object.string("Method") ?? ""
        var fields: [CheckField] = []
        for field in try object.map("Header") {
            guard case .array(let values) = field.value else { throw ConsulObject.failed("Header is no map of lists") }
            for value in values {
                guard case .string(let text) = value else { throw ConsulObject.failed("Header is no map of lists") }
                fields.append(CheckField(field.name, text))
            }
        }
        // A map has no order: the same registration asks the same.
        fields.sort { $0.name < $1.name }
        return (method.isEmpty ? "GET" : method, fields, try object.string("Body") ?? "")
    }
}
