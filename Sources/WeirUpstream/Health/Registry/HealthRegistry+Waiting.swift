// SPDX-License-Identifier: Apache-2.0
// Who is told of changes: queries that wait for one, and observers of all of them.

extension HealthRegistry {
    package struct WaiterID: Sendable, Hashable {
        fileprivate let number: UInt64
    }

    /// Calls `wake` once when `scope` has changed since `index`; on the thread of whoever changes it, so be brief.
    ///
    /// - Returns: nil where it has changed already; then nothing is called.
    package func wait(
        for scope: RegistryScope,
        after index: UInt64,
        _ wake: @escaping @Sendable () -> Void
    ) throws(HealthRegistryError) -> WaiterID? {
        try withState { state throws(HealthRegistryError) -> WaiterID? in
            guard state.registry.index(of: scope) <= index else { return nil }
            guard state.waiters.count < waitersMax else { throw .full(what: "queries that wait", max: waitersMax) }
            state.lastID += 1
            state.waiters[state.lastID] = Waiter(scope: scope, index: index, wake: wake)
            return WaiterID(number: state.lastID)
        }
    }

    /// Nobody waits any more; a call that is on its way still comes.
    package func stopWaiting(_ id: WaiterID) {
        withState { $0.waiters[id.number] = nil }
    }

    package var waiterCount: Int { withState { $0.waiters.count } }

    package func index(of scope: RegistryScope) -> UInt64 { read { $0.index(of: scope) } }

    package struct ObserverID: Sendable, Hashable {
        fileprivate let number: UInt64
    }

    /// Calls `changed` after each change, on the thread of whoever makes it; be brief. What it means for an observer is in
    /// `index(of:)`, `nextDue` and the queries. Outputs and TTLs that are put off are no change.
    package func observe(_ changed: @escaping @Sendable () -> Void) -> ObserverID {
        withState { state in
            state.lastID += 1
            state.observers[state.lastID] = changed
            return ObserverID(number: state.lastID)
        }
    }

    package func stopObserving(_ id: ObserverID) {
        withState { $0.observers[id.number] = nil }
    }
}
