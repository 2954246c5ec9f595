// SPDX-License-Identifier: Apache-2.0
// Any bytes as a body of Consul's API, of each kind: refused with a word, or a service with its checks that the registry
// takes, and whose documents are JSON.

import Weir
import WeirUpstream

private let node = HealthNode(id: "id", name: "node", address: "10.0.0.1")
private let documents = ConsulDocuments(node: node, nodeIndex: 1)

@c(LLVMFuzzerTestOneInput)
public func fuzzConsulRegistration(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    orRefused { () throws(ConsulError) in
        let (service, checks) = try ConsulRegistration.service(bytes)
        precondition(!service.name.isEmpty && !service.id.isEmpty, "a service without a name")
        precondition((0...65_535).contains(service.port) && service.weights.fault == nil, "a service out of bounds")
        for check in checks { precondition(check.serviceID == service.id, "somebody else's check") }
        register { registry throws(HealthRegistryError) in
            try registry.register(service, checks: checks, now: 1)
            precondition(registry.service(service.id)?.service == service, "another service than was registered")
        }
    }
    orRefused { () throws(ConsulError) in
        let check = try ConsulRegistration.check(bytes)
        precondition(!check.name.isEmpty && !check.id.isEmpty, "a check without a name")
        register { registry throws(HealthRegistryError) in try registry.register(check, now: 1) }
    }
    orRefused { () throws(ConsulError) in _ = try ConsulRegistration.update(bytes) }
    if let duration = GoDuration.parse(String(decoding: bytes, as: UTF8.self)) {
        precondition(GoDuration.parse(GoDuration.text(duration)) == duration, "written, it is another duration")
    }
    return 0
}

private func orRefused(_ body: () throws(ConsulError) -> Void) {
    do throws(ConsulError) {
        try body()
    } catch {
        precondition((400...599).contains(error.status) && !error.text.isEmpty, "a fault without a word")
    }
}

/// Has a registry take it, and reads what that says of it.
private func register(_ body: (HealthRegistry) throws(HealthRegistryError) -> Void) {
    let registry = HealthRegistry(node: node)
    do throws(HealthRegistryError) {
        try body(registry)
    } catch {
        precondition(!ConsulError(error).text.isEmpty, "a fault without a word")
        return
    }
    registry.advance(to: registry.nextDue ?? 2)
    for entry in registry.services().value {
        check(documents.agentService(entry))
        for health in registry.health(of: entry.service.name).value { check(documents.health(health)) }
    }
    for entry in registry.checks().value { check(documents.check(entry, of: nil)) }
}

private func check(_ document: JSONValue) {
    precondition((try? JSONValue(parsing: document.bytes)) != nil, "a document that is no JSON")
}
