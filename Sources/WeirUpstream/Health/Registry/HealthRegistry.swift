// SPDX-License-Identifier: Apache-2.0
// The services of this instance and their health: what is registered here is here alone, and goes with the process.

import Synchronization
package import WeirEventLoop

/// Services, checks, and who waits for a change of them. Any thread; one mutex, which is held for no call out.
///
/// Time is a parameter: `advance` lets TTLs run out and deregisters what was critical for too long.
package final class HealthRegistry: Sendable {
    package let node: HealthNode
    private let limits: RegistryLimits
    private let state: Mutex<State>

    struct State {
        var registry: RegistryState
        var waiters: [UInt64: Waiter] = [:]
        var observers: [UInt64: @Sendable () -> Void] = [:]
        /// Numbers waiters and observers.
        var lastID: UInt64 = 0
    }

    struct Waiter {
        let scope: RegistryScope
        let index: UInt64
        let wake: @Sendable () -> Void
    }

    /// - Parameter startIndex: above 0, and above what a former registry of this instance has told: clients take an
    ///   index that goes back for no change. The time serves.
    package init(node: HealthNode, startIndex: UInt64 = 1, limits: RegistryLimits = RegistryLimits()) {
        precondition(startIndex > 0, "an index of 0 would end no wait")
        self.node = node
        self.limits = limits
        state = Mutex(State(registry: RegistryState(startIndex: startIndex)))
    }

    // MARK: Services

    /// Registers a service, or changes it, with these checks. Other checks that it has stay, unless
    /// `replacesChecks`. If a part is refused, nothing is changed.
    package func register(
        _ service: HealthService,
        checks: [HealthCheck] = [],
        replacesChecks: Bool = false,
        now: Nanoseconds
    ) throws(HealthRegistryError) {
        for check in checks { try Self.check(check) }
        try change { registry throws(HealthRegistryError) in
            let former = registry
            do throws(HealthRegistryError) {
                try registry.put(service, limits)
                for var check in checks {
                    check.serviceID = service.id
                    try registry.put(check, limits, now: now)
                }
            } catch {
                registry = former
                throw error
            }
            guard replacesChecks else { return }
            let kept = Set(checks.map(\.id))
            for check in registry.checks.values
            where check.serviceID == service.id && check.definition != nil && !kept.contains(check.id) {
                registry.removeCheck(check.id)
            }
        }
    }

    /// Takes a service away with its checks.
    package func deregisterService(_ id: String) throws(HealthRegistryError) {
        try change { registry throws(HealthRegistryError) in
            guard registry.services[id] != nil else { throw .unknownService(id: id) }
            registry.removeService(id)
        }
    }

    // MARK: Checks

    /// Registers a check of a service or of the node, or changes it.
    package func register(_ check: HealthCheck, now: Nanoseconds) throws(HealthRegistryError) {
        try Self.check(check)
        try change { registry throws(HealthRegistryError) in
            if let id = check.serviceID, registry.services[id] == nil { throw .unknownService(id: id) }
            try registry.put(check, limits, now: now)
        }
    }

    package func deregisterCheck(_ id: String) throws(HealthRegistryError) {
        try change { registry throws(HealthRegistryError) in
            guard registry.checks[id] != nil else { throw .unknownCheck(id: id) }
            registry.removeCheck(id)
        }
    }

    /// A TTL check was heard of: it is so, and is left alone for another TTL.
    package func report(
        _ status: CheckStatus,
        _ output: String,
        of checkID: String,
        now: Nanoseconds
    ) throws(HealthRegistryError) {
        let output = CheckOutput.given(output)
        try change { registry throws(HealthRegistryError) in
            guard let check = registry.checks[checkID] else { throw .unknownCheck(id: checkID) }
            guard case .ttl(let ttl) = check.definition?.kind else { throw .noTTL(checkID: checkID) }
            registry.note(status, output, of: checkID, now: now)
            registry.setExpiry(now &+ ttl.nanosecondsClamped, lastOutput: output, of: checkID)
        }
    }

    /// A check that somebody runs has a result; one of a former registration is ignored.
    package func note(_ status: CheckStatus, _ output: String, of checkID: String, run: UInt64, now: Nanoseconds) {
        change { registry in
            guard registry.checks[checkID]?.run == run else { return }
            registry.note(status, output, of: checkID, now: now)
        }
    }

    private static func check(_ check: HealthCheck) throws(HealthRegistryError) {
        if let reason = check.definition.fault { throw .invalidCheck(reason: reason) }
    }

    // MARK: Maintenance

    /// Takes a service out of use, or back into it. Its checks go on.
    package func setMaintenance(
        _ isOn: Bool,
        ofService id: String,
        reason: String
    ) throws(HealthRegistryError) {
        try change { registry throws(HealthRegistryError) in
            guard registry.services[id] != nil else { throw .unknownService(id: id) }
            let checkID = "_service_maintenance:\(id)"
            guard isOn else { return registry.removeCheck(checkID) }
            registry.putMaintenance(
                checkID,
                name: "Service Maintenance Mode",
                reason: reason.isEmpty ? Self.defaultReason("service") : CheckOutput.given(reason),
                serviceID: id
            )
        }
    }

    /// The same for all services.
    package func setMaintenance(_ isOn: Bool, reason: String) {
        change { registry in
            guard isOn else { return registry.removeCheck("_node_maintenance") }
            registry.putMaintenance(
                "_node_maintenance",
                name: "Node Maintenance Mode",
                reason: reason.isEmpty ? Self.defaultReason("node") : CheckOutput.given(reason),
                serviceID: nil
            )
        }
    }

    private static func defaultReason(_ what: String) -> String {
        "Maintenance mode is enabled for this \(what), but no reason was provided. This is a default message."
    }

    // MARK: Time

    /// Lets TTLs run out, and deregisters services that were critical for too long.
    package func advance(to now: Nanoseconds) {
        change { registry in
            for check in registry.checks.values where check.expiresAt.map({ $0 <= now }) ?? false {
                let rest =
                    check.lastOutput.isEmpty
                    ? "" : " (last output before timeout follows): \(check.lastOutput)"
                registry.note(.critical, "TTL expired\(rest)", of: check.id, now: now)
                registry.setExpiry(nil, of: check.id)
            }
            for check in registry.checks.values
            where check.deregisterAt(limits.deregisterAfterMin).map({ $0 <= now }) ?? false {
                if let id = check.serviceID { registry.removeService(id) }
            }
        }
    }

    /// When `advance` has something to do; nil for never, as things are.
    package var nextDue: Nanoseconds? {
        let afterMin = limits.deregisterAfterMin
        return read { registry in
            registry.checks.values.flatMap { [$0.expiresAt, $0.deregisterAt(afterMin)] }.compactMap(\.self).min()
        }
    }

    // MARK: Plumbing

    func read<Value: Sendable>(_ body: (RegistryState) -> Value) -> Value {
        state.withLock { body($0.registry) }
    }

    func withState<Value: Sendable, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Value
    ) throws(Failure) -> Value {
        try state.withLock(body)
    }

    var waitersMax: Int { limits.waitersMax }

    /// Changes the state, and then tells whom it concerns, outside of the mutex. What throws has changed nothing.
    private func change<Failure: Error>(_ body: (inout RegistryState) throws(Failure) -> Void) throws(Failure) {
        let calls = try state.withLock { state throws(Failure) -> [@Sendable () -> Void] in
            let version = state.registry.version
            try body(&state.registry)
            guard state.registry.version != version else { return [] }
            let woken = state.waiters.filter { state.registry.index(of: $0.value.scope) > $0.value.index }
            for id in woken.keys { state.waiters[id] = nil }
            return woken.values.map(\.wake) + state.observers.values
        }
        for call in calls { call() }
    }
}
