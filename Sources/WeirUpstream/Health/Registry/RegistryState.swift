// SPDX-License-Identifier: Apache-2.0
// The registry's state and its indexes, without lock, clock or thread.

import WeirEventLoop

/// The most that a registry holds.
package struct RegistryLimits: Sendable {
    package var servicesMax = 1024
    package var checksMax = 2048
    /// Of all texts of services and checks but outputs, which have a bound of their own.
    package var bytesMax = 4 << 20
    /// Queries that wait for a change.
    package var waitersMax = 192
    /// The least time in critical before a service is deregistered.
    package var deregisterAfterMin = CheckDefinition.deregisterAfterMin

    package init() {}
}

/// What a query reads: a change of anything else does not end its wait.
package enum RegistryScope: Sendable, Hashable {
    /// The instances of a service by its name, and their checks.
    case service(String)
    /// Which services there are.
    case services
    /// All checks.
    case checks
    /// The node itself, which never changes.
    case node
}

/// Each change has an index, one more than the last; each scope has that of its last change, as in Consul: a service's
/// moves with its instances, their checks and the node's, and one that is not there has the index of the last service
/// that went.
struct RegistryState {
    private(set) var services: [String: RegisteredService] = [:]
    private(set) var checks: [String: RegisteredCheck] = [:]
    private var byteCount = 0
    /// Counts registrations of checks.
    private var lastRun: UInt64 = 0

    /// Moves with everything that others may have to act on: indexes, which checks run, and what is due.
    private(set) var version: UInt64 = 0

    private let startIndex: UInt64
    private var index: UInt64 { didSet { version += 1 } }
    private var servicesIndex: UInt64
    private var checksIndex: UInt64
    private var extinctionIndex: UInt64
    /// By name, of the services that are there.
    private var serviceIndexes: [String: UInt64] = [:]

    init(startIndex: UInt64) {
        self.startIndex = startIndex
        index = startIndex
        servicesIndex = startIndex
        checksIndex = startIndex
        extinctionIndex = startIndex
    }

    func index(of scope: RegistryScope) -> UInt64 {
        switch scope {
        case .service(let name): serviceIndexes[name] ?? extinctionIndex
        case .services: servicesIndex
        case .checks: checksIndex
        case .node: startIndex
        }
    }

    // MARK: Services

    /// Puts a service in the place of the one with its id. The same again is no change.
    mutating func put(_ service: HealthService, _ limits: RegistryLimits) throws(HealthRegistryError) {
        let former = services[service.id]
        if former?.service == service { return }
        if former == nil, services.count >= limits.servicesMax {
            throw .full(what: "services", max: limits.servicesMax)
        }
        try take(service.byteCount - (former?.service.byteCount ?? 0), limits)
        index += 1
        services[service.id] = RegisteredService(
            service: service,
            createIndex: former?.createIndex ?? index,
            modifyIndex: index
        )
        servicesIndex = index
        serviceIndexes[service.name] = index
        if let former, former.service.name != service.name { touchFormer(former.service.name) }
    }

    /// Takes a service away, and its checks with it.
    mutating func removeService(_ id: String) {
        guard let entry = services.removeValue(forKey: id) else { return }
        index += 1
        byteCount -= entry.service.byteCount
        servicesIndex = index
        for check in checks.values where check.serviceID == id { forget(check) }
        touchFormer(entry.service.name)
    }

    /// A service has lost an instance, perhaps its last.
    private mutating func touchFormer(_ name: String) {
        if services.values.contains(where: { $0.service.name == name }) {
            serviceIndexes[name] = index
        } else {
            serviceIndexes[name] = nil
            extinctionIndex = index
        }
    }

    // MARK: Checks

    /// Puts a check in the place of the one with its id, whose status and output it keeps: what is registered again
    /// does not flap. It runs anew.
    mutating func put(_ check: HealthCheck, _ limits: RegistryLimits, now: Nanoseconds) throws(HealthRegistryError) {
        let former = checks[check.id]
        if former == nil, checks.count >= limits.checksMax { throw .full(what: "checks", max: limits.checksMax) }
        try take(check.byteCount - (former?.byteCount ?? 0), limits)
        lastRun += 1
        version += 1
        var entry = RegisteredCheck(
            id: check.id,
            name: check.name,
            notes: check.notes,
            serviceID: check.serviceID,
            source: .check(check.definition),
            status: former?.status ?? check.status,
            output: former?.output ?? "",
            createIndex: former?.createIndex ?? 0,
            modifyIndex: former?.modifyIndex ?? 0,
            run: lastRun
        )
        if case .ttl(let ttl) = check.definition.kind { entry.expiresAt = now &+ ttl.nanosecondsClamped }
        checks[check.id] = entry
        if let former, former.looksLike(entry) { return }
        touch(check.id)
        if let former, former.serviceID != entry.serviceID { touchServices(of: former) }
    }

    /// Adds the check that maintenance is; the same again is no change.
    mutating func putMaintenance(_ id: String, name: String, reason: String, serviceID: String?) {
        guard checks[id] == nil else { return }
        checks[id] = RegisteredCheck(
            id: id,
            name: name,
            notes: reason,
            serviceID: serviceID,
            source: .maintenance,
            status: .critical,
            output: "",
            createIndex: 0,
            modifyIndex: 0,
            run: 0
        )
        touch(id)
    }

    mutating func removeCheck(_ id: String) {
        guard let check = checks[id] else { return }
        index += 1
        forget(check)
        touchServices(of: check)
    }

    /// A check says so now. An output alone is no change that a query waits for, as with Consul's
    /// `check_update_interval`.
    mutating func note(_ status: CheckStatus, _ output: String, of id: String, now: Nanoseconds) {
        guard let check = checks[id] else { return }
        if (status == .critical) != (check.criticalSince != nil) {
            checks[id]?.criticalSince = status == .critical ? now : nil
            version += 1
        }
        checks[id]?.output = output
        guard status != check.status else { return }
        checks[id]?.status = status
        touch(id)
    }

    mutating func setExpiry(_ instant: Nanoseconds?, lastOutput: String? = nil, of id: String) {
        // What is put off needs nobody's action: at the former instant nothing is due.
        if checks[id]?.expiresAt == nil { version += 1 }
        checks[id]?.expiresAt = instant
        if let lastOutput { checks[id]?.lastOutput = lastOutput }
    }

    private mutating func forget(_ check: RegisteredCheck) {
        checks[check.id] = nil
        byteCount -= check.byteCount
        checksIndex = index
    }

    private mutating func touch(_ id: String) {
        guard let check = checks[id] else { return }
        index += 1
        if check.createIndex == 0 { checks[id]?.createIndex = index }
        checks[id]?.modifyIndex = index
        checksIndex = index
        touchServices(of: check)
    }

    /// The node's checks are those of all its services.
    private mutating func touchServices(of check: RegisteredCheck) {
        guard let serviceID = check.serviceID else {
            for name in serviceIndexes.keys { serviceIndexes[name] = index }
            return
        }
        if let name = services[serviceID]?.service.name { serviceIndexes[name] = index }
    }

    private mutating func take(_ bytes: Int, _ limits: RegistryLimits) throws(HealthRegistryError) {
        guard bytes <= 0 || byteCount + bytes <= limits.bytesMax else {
            throw .full(what: "bytes", max: limits.bytesMax)
        }
        byteCount += bytes
    }
}

extension RegisteredCheck {
    fileprivate var byteCount: Int {
        guard let definition else { return 0 }
        return HealthCheck(id: id, name: name, notes: notes, definition: definition).byteCount
    }

    /// Whether somebody who reads both sees the same.
    fileprivate func looksLike(_ other: RegisteredCheck) -> Bool {
        name == other.name && notes == other.notes && serviceID == other.serviceID && status == other.status
            && source == other.source
    }
}
