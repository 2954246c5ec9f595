// SPDX-License-Identifier: Apache-2.0
// What the registry keeps and shows of a service and of a check. Values; pure.

import WeirEventLoop

/// A registered service, with the indexes of its first and its last change.
package struct RegisteredService: Sendable, Equatable {
    package internal(set) var service: HealthService
    package internal(set) var createIndex: UInt64
    package internal(set) var modifyIndex: UInt64
}

/// A registered check, with its state.
package struct RegisteredCheck: Sendable, Equatable {
    /// Who decides its status.
    package enum Source: Sendable, Equatable {
        case check(CheckDefinition)
        /// Somebody has taken the service, or the node, out of use.
        case maintenance
    }

    package let id: String
    package internal(set) var name: String
    package internal(set) var notes: String
    package internal(set) var serviceID: String?
    package internal(set) var source: Source
    package internal(set) var status: CheckStatus
    package internal(set) var output: String
    package internal(set) var createIndex: UInt64
    package internal(set) var modifyIndex: UInt64
    /// Tells this registration of the id from others: a result of an earlier one is not this one's.
    package internal(set) var run: UInt64
    /// When a TTL check becomes critical unless it is heard of.
    var expiresAt: Nanoseconds?
    /// What was said of a TTL check last.
    var lastOutput = ""
    /// Since when results have been critical; nil before the first one.
    var criticalSince: Nanoseconds?

    package var definition: CheckDefinition? {
        if case .check(let definition) = source { definition } else { nil }
    }

    /// Where it was critical for too long, when its service goes.
    func deregisterAt(_ afterMin: Duration) -> Nanoseconds? {
        guard let criticalSince, serviceID != nil, let after = definition?.deregisterCriticalServiceAfter, after > .zero
        else { return nil }
        return criticalSince &+ max(after, afterMin).nanosecondsClamped
    }
}

/// A service with all checks that say something about it: its own, and the node's.
package struct ServiceHealth: Sendable {
    package let entry: RegisteredService
    package let checks: [RegisteredCheck]

    package var status: CheckStatus { checks.lazy.map(\.status).worst }
}

/// What a query answers, with the index to wait for more from.
package struct Indexed<Value: Sendable>: Sendable {
    package let value: Value
    package let index: UInt64

    package init(_ value: Value, _ index: UInt64) {
        self.value = value
        self.index = index
    }
}
