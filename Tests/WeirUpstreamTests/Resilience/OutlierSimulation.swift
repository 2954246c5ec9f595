// SPDX-License-Identifier: Apache-2.0
// Endpoints of a known behaviour under an even load, and what the ejection makes of them.

import Glibc
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

final class OutlierSimulation {
    struct Behaviour {
        var failing = 0.0
        var milliseconds = 10.0
        var isUsable = true
    }

    private final class Node {
        let name: String
        var behaviour: Behaviour
        let outcomes = EndpointOutcomes()
        var served = 0

        init(_ name: String, _ behaviour: Behaviour) {
            self.name = name
            self.behaviour = behaviour
        }
    }

    private let nodes: [Node]
    private var random: SeededGenerator
    var ejection: OutlierEjection
    private(set) var events: [(second: Int, event: EjectionEvent)] = []
    private(set) var second = 0
    private var turn = 0

    init(_ behaviours: [Behaviour], seed: UInt64, policy: OutlierPolicy = OutlierPolicy()) {
        nodes = behaviours.enumerated().map { Node("e\($0)", $1) }
        random = SeededGenerator(seed: seed)
        ejection = OutlierEjection(policy: policy)
    }

    subscript(_ index: Int) -> Behaviour {
        get { nodes[index].behaviour }
        set { nodes[index].behaviour = newValue }
    }

    func served(_ index: Int) -> Int { nodes[index].served }

    func isEjected(_ index: Int) -> Bool { ejection.isEjected("e\(index)") }

    var ejected: [Int] { nodes.indices.filter { isEjected($0) } }

    /// How often an endpoint was ejected.
    func ejections(_ index: Int) -> [(second: Int, cause: EjectionCause, length: Nanoseconds)] {
        events.compactMap { second, event in
            guard event.endpoint == "e\(index)", case .ejected(let cause, let length) = event.change else { return nil }
            return (second, cause, length)
        }
    }

    func run(seconds: Int, requestsPerSecond: Int) {
        for _ in 0..<seconds {
            evaluate()
            for _ in 0..<requestsPerSecond { request() }
            second += 1
        }
    }

    private func request() {
        let usable = nodes.filter { $0.behaviour.isUsable && !ejection.isEjected($0.name) }
        guard !usable.isEmpty else { return }
        turn += 1
        let node = usable[turn % usable.count]
        node.served += 1
        let isFailing = Double.random(in: 0..<1, using: &random) < node.behaviour.failing
        // Exponentially distributed latencies: their spread is that of a busy server.
        let wait = -log(1 - Double.random(in: 0..<1, using: &random)) * node.behaviour.milliseconds
        node.outcomes.note(isFailing ? .gatewayFailure : .answered(UInt64(wait * 1_000_000)))
        // As an upstream looks where somebody has a run, and not at each failure of it.
        let run = node.outcomes.counts.run()
        if isFailing, run > 0, run % ejection.policy.consecutiveFailures == 0 { evaluate() }
    }

    func evaluate() {
        let observed = nodes.map {
            OutlierEjection.Observed(
                endpoint: $0.name,
                counts: $0.outcomes.counts,
                isUsable: $0.behaviour.isUsable
            )
        }
        let now = Nanoseconds(second) * 1_000_000_000
        for event in ejection.evaluate(observed, now: now, using: &random) { events.append((second, event)) }
        // What must hold whatever happens: something usable is left if anything is usable.
        let usable = nodes.filter { $0.behaviour.isUsable }
        precondition(usable.isEmpty || usable.contains { !ejection.isEjected($0.name) }, "the last one was ejected")
    }
}
