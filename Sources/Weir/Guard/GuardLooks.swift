// SPDX-License-Identifier: Apache-2.0
// Judges the routes that have a guard, and says what changes. Confined to the flow monitor's thread; time is a parameter.

import Logging
import WeirFlow
import WeirHost

/// What looks at the guards of a server's routes.
struct GuardLooks {
    private let flow: FlowControl
    private let logger: Logger
    private var journal: BaselineJournal?
    private var random = SystemRandomNumberGenerator()

    init(_ flow: FlowControl, _ server: HTTPServer) {
        self.flow = flow
        logger = server.shared.logger
        journal = BaselineJournal(flow, server)
    }

    mutating func look(now: Nanoseconds) {
        // Read at most once, and only where a window ends.
        var memory: UInt64??
        func memoryBytes() -> UInt64? {
            if let memory { return memory }
            let bytes = ProcessUsage.read().residentBytes.map { UInt64($0) }
            memory = bytes
            return bytes
        }
        for routeGuard in flow.guards {
            if let transition = routeGuard.look(now: now, memoryBytes: memoryBytes, using: &random) {
                log(transition, routeGuard.name)
            }
        }
        journal?.look(now: now, using: &random)
    }

    /// Nothing is looked at any more: what was learnt since the file was written is not to be lost.
    mutating func end() { journal?.write() }

    private func log(_ transition: GuardTransition, _ route: String) {
        switch transition {
        case .degraded(let finding):
            logger.warning(
                "route \(route) is degraded",
                metadata: [
                    "signal": .string(finding.signal.rawValue),
                    "unit": .string(finding.signal.unit),
                    "value": .stringConvertible(finding.shown(finding.value)),
                    "baseline": .stringConvertible(finding.shown(finding.baseline)),
                    "ratio": .stringConvertible((finding.ratio * 100).rounded() / 100),
                ]
            )
        case .recovered: logger.notice("route \(route) is no longer degraded")
        case .recoveredInSilence:
            logger.notice("route \(route) is no longer degraded: too few requests come to judge by")
        }
    }
}

extension GuardSignal {
    /// What `GuardFinding.shown` is in.
    var unit: String {
        switch self {
        case .latency, .queue: "seconds"
        case .memory: "bytes per second"
        }
    }
}

extension GuardFinding {
    /// One of its values, in seconds or in bytes a second.
    func shown(_ value: Double) -> Double {
        switch signal {
        case .latency, .queue: value / 1e9
        case .memory: value
        }
    }
}
