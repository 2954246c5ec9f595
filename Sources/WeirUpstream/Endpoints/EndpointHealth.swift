// SPDX-License-Identifier: Apache-2.0
// How well an endpoint is, as far as its checks and its source say. Part of the endpoint, shared by all loops.

import Synchronization

/// In Consul's words, from good to bad. What nobody has checked yet serves: a gateway that had just started, or been
/// told of a new endpoint, would be a hole until the first check had passed.
package enum EndpointHealth: UInt8, Sendable, CaseIterable, Comparable {
    case unknown
    case passing
    /// It serves, and has asked for less.
    case warning
    /// It gets nothing.
    case critical

    package init(_ status: CheckStatus) {
        switch status {
        case .passing: self = .passing
        case .warning: self = .warning
        case .critical: self = .critical
        }
    }

    package var word: String {
        switch self {
        case .unknown: "unknown"
        case .passing: "passing"
        case .warning: "warning"
        case .critical: "critical"
        }
    }

    package static func < (left: EndpointHealth, right: EndpointHealth) -> Bool { left.rawValue < right.rawValue }
}

/// What is known of an endpoint's health. Written by the thread that checks, read by all.
package struct EndpointCondition: ~Copyable, Sendable {
    // Relaxed: they publish nothing, and who sees one late has balanced once more as before.
    private let checked = Atomic<UInt8>(EndpointHealth.unknown.rawValue)
    private let listed = Atomic<UInt8>(EndpointHealth.unknown.rawValue)
    private let output = Mutex<String>("")

    package init() {}

    /// The worse of what its check and its source say.
    package var health: EndpointHealth { max(checkedHealth, listedHealth) }

    /// What its check says.
    package var checkedHealth: EndpointHealth { EndpointHealth(rawValue: checked.load(ordering: .relaxed)) ?? .unknown }

    /// What its source says.
    package var listedHealth: EndpointHealth { EndpointHealth(rawValue: listed.load(ordering: .relaxed)) ?? .unknown }

    /// What came of the check that counted last; empty where there was none.
    package var checkOutput: String { output.withLock { $0 } }

    /// A check has counted, or there is none any more.
    package func note(_ health: EndpointHealth, output text: String) {
        output.withLock { $0 = text }
        checked.store(health.rawValue, ordering: .relaxed)
    }

    /// Its source has listed it.
    func noteListed(_ health: EndpointHealth) {
        listed.store(health.rawValue, ordering: .relaxed)
    }
}
