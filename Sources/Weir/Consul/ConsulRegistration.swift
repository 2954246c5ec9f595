// SPDX-License-Identifier: Apache-2.0
// Bodies of registrations as services and checks, with Consul's defaults and its reasons for refusing them. Pure.

import WeirEventLoop
package import WeirUpstream

/// What the body of a registration says.
package enum ConsulRegistration {
    private static let metaPairsMax = 64
    private static let metaKeyMax = 128
    private static let metaValueMax = 512

    /// The body of `PUT /v1/agent/service/register`.
    package static func service(_ body: [UInt8]) throws(ConsulError) -> (service: HealthService, checks: [HealthCheck])
    {
        var object = try object(body)
        let name = try object.string("Name") ?? ""
        var service = HealthService(id: try object.string("ID") ?? "", name: name)
        service.address = try object.string("Address") ?? ""
        service.port = try object.integer("Port") ?? 0
        service.tags = try object.strings("Tags")
        service.enablesTagOverride = try object.bool("EnableTagOverride")
        service.meta = try meta(&object)
        if let weights = object.take("Weights") { service.weights = try self.weights(weights) }
        service.taggedAddresses = try taggedAddresses(&object)
        let checkValues = [object.take("Check")].compactMap(\.self) + (try object.array("Checks"))
        object.ignore("Token", "Namespace", "Partition", "Locality")
        try object.refuse("Kind", "Proxy", "Connect", "SocketPath")
        try object.end()

        guard !name.isEmpty else { throw .badRequest("Missing service name") }
        if service.id.isEmpty { service.id = name }
        guard !["0.0.0.0", "::", "[::]"].contains(service.address) else { throw .badRequest("Invalid service address") }
        guard (0...65_535).contains(service.port) else { throw .badRequest("Invalid service port") }
        if let fault = service.weights.fault { throw .badRequest("Invalid Weights: \(fault)") }
        addDefaultAddresses(&service)

        // An empty one says nothing.
        let wanted = checkValues.filter { $0 != .object([]) }
        var checks: [HealthCheck] = []
        for (index, value) in wanted.enumerated() {
            var check = try self.check(value, "Check")
            if check.id.isEmpty {
                check.id = "service:\(service.id)" + (wanted.count == 1 ? "" : ":\(index + 1)")
            }
            if check.name.isEmpty { check.name = "Service '\(name)' check" }
            check.serviceID = service.id
            checks.append(check)
        }
        return (service, checks)
    }

    /// The body of `PUT /v1/agent/check/register`.
    package static func check(_ body: [UInt8]) throws(ConsulError) -> HealthCheck {
        var check = try check(try value(body), "the body")
        guard !check.name.isEmpty else { throw .badRequest("Missing check name") }
        if check.id.isEmpty { check.id = check.name }
        return check
    }

    /// The body of `PUT /v1/agent/check/update/:id`.
    package static func update(_ body: [UInt8]) throws(ConsulError) -> (status: CheckStatus, output: String) {
        var object = try object(body)
        let text = try object.string("Status") ?? ""
        let output = try object.string("Output") ?? ""
        try object.end()
        guard let status = CheckStatus(rawValue: text) else { throw .badRequest("Invalid check status: '\(text)'") }
        return (status, output)
    }

    private static func value(_ body: [UInt8]) throws(ConsulError) -> JSONValue {
        guard !body.isEmpty else { throw ConsulObject.failed("EOF") }
        do {
            return try JSONValue(parsing: body)
        } catch is JSONValue.TooDeep {
            throw ConsulObject.failed("the body has more than \(JSONValue.depthMax) levels")
        } catch {
            throw ConsulObject.failed("the body is no JSON")
        }
    }

    private static func object(_ body: [UInt8]) throws(ConsulError) -> ConsulObject {
        try ConsulObject(try value(body), "the body")
    }

    // MARK: Services

    private static func meta(_ object: inout ConsulObject) throws(ConsulError) -> [String: String] {
        var meta: [String: String] = [:]
        for field in try object.map("Meta") {
            guard case .string(let value) = field.value else { throw ConsulObject.failed("Meta is no map of strings") }
            meta[field.name] = value
        }
        func invalid(_ reason: String) -> ConsulError { .badRequest("Invalid Service Meta: \(reason)") }
        guard meta.count <= metaPairsMax else {
            throw invalid("Node metadata cannot contain more than \(metaPairsMax) key/value pairs")
        }
        for (key, value) in meta {
            guard !key.isEmpty else { throw invalid("Key cannot be blank") }
            guard key.utf8.allSatisfy(isKeyByte) else { throw invalid("Key contains invalid characters: '\(key)'") }
            guard key.utf8.count <= metaKeyMax else {
                throw invalid("Key is too long (limit: \(metaKeyMax) characters)")
            }
            guard value.utf8.count <= metaValueMax else {
                throw invalid("Value is too long (limit: \(metaValueMax) characters)")
            }
        }
        return meta
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func weights(_ value: JSONValue) throws(ConsulError) -> ServiceWeights {
        var object = try ConsulObject(value, "Weights")
        let weights = ServiceWeights(
            passing: try object.integer("Passing") ?? 0,
            warning: try object.integer("Warning") ?? 0
        )
        try object.end()
        return weights
    }

    private static func taggedAddresses(
        _ object: inout ConsulObject
    ) throws(ConsulError) -> [String: ServiceAddress] {
        var addresses: [String: ServiceAddress] = [:]
        for field in try object.map("TaggedAddresses") {
            var entry = try ConsulObject(field.value, "TaggedAddresses")
            addresses[field.name] = ServiceAddress(
                address: try entry.string("Address") ?? "",
                port: try entry.integer("Port") ?? 0
            )
            try entry.end()
        }
        return addresses
    }

    /// A numeric address stands in the families' fields, too, unless they say something else.
    private static func addDefaultAddresses(_ service: inout HealthService) {
        guard let address = SocketAddress(host: service.address, port: 0) else { return }
        let family =
            switch address {
            case .ipv4: "ipv4"
            case .ipv6, .unix: "ipv6"
            }
        for scope in ["lan", "wan"] where service.taggedAddresses["\(scope)_\(family)"] == nil {
            service.taggedAddresses["\(scope)_\(family)"] = ServiceAddress(
                address: service.address,
                port: service.port
            )
        }
    }
}
