// SPDX-License-Identifier: Apache-2.0
// Every order in which a few requests can access a pool's memory. What runs is the pool's own code, over a memory whose
// every access is a step (Tests/Stepped). The steps are sequentially consistent: weaker orders are not explored.

import Testing
import WeirFlowStepped

/// The invariants look at what a thread that stands still is changing, which the optimiser may put off.
@Suite(
    "The admission pool's protocol",
    .enabled(if: _isDebugAssertConfiguration(), "an optimised build may put off what is looked at")
)
struct AdmissionInterleavingTests {
    static let scenarios = [
        AdmissionScenario(limit: 1, queueLimit: 0),
        AdmissionScenario(limit: 1, queueLimit: 1),
        AdmissionScenario(limit: 1, queueLimit: 2),
        AdmissionScenario(limit: 2, queueLimit: 1),
        AdmissionScenario(limit: 1, queueLimit: 1) { $0.count = 4 },
        AdmissionScenario(limit: 1, queueLimit: 1) { $0.criticals = [0] },
        AdmissionScenario(limit: 1, queueLimit: 2) { $0.criticals = [1, 2] },
        AdmissionScenario(limit: 1, queueLimit: 2) { ($0.count, $0.deadlines) = (2, [0, 1]) },
        AdmissionScenario(limit: 1, queueLimit: 2) { $0.deadlines = [1] },
        AdmissionScenario(limit: 1, queueLimit: 1) { $0.newLimit = 2 },
        AdmissionScenario(limit: 1, queueLimit: 2) { $0.newLimit = 3 },
        AdmissionScenario(limit: 2, queueLimit: 1) { $0.newLimit = 1 },
        AdmissionScenario(limit: 1, queueLimit: 0) { $0.newQueueLimit = 1 },
        AdmissionScenario(limit: 1, queueLimit: 2) { ($0.count, $0.newLimit, $0.deadlines) = (2, 2, [1]) },
        AdmissionScenario(limit: 1, queueLimit: 1) { ($0.past, $0.leavers) = (.turnsAtNextGiveUp, [0]) },
        AdmissionScenario(limit: 1, queueLimit: 2) { ($0.past, $0.leavers) = (.turnsAtNextGiveUp, [0]) },
        AdmissionScenario(limit: 1, queueLimit: 1) { $0.past = .turnsBackAtNextAnswer },
        AdmissionScenario(limit: 1, queueLimit: 2) { ($0.count, $0.past) = (4, .turnsBackAtNextAnswer) },
        AdmissionScenario(limit: 1, queueLimit: 1) { ($0.past, $0.criticals) = (.turnsBackAtNextAnswer, [2]) },
        AdmissionScenario(limit: 1, queueLimit: 1) { $0.failures = 1 },
        AdmissionScenario(limit: 1, queueLimit: 2) { ($0.count, $0.newLimit, $0.failures) = (2, 2, 2) },
    ]

    @Test(
        "holds in all orders of all steps: never above the limit, no wake-up lost, each request ends once",
        arguments: scenarios
    )
    func allOrders(_ scenario: AdmissionScenario) {
        let exploration = scenario.explored()
        #expect(exploration.fault == nil)
        #expect(exploration.rests > 0, "no order came to an end")
    }

    @Test("is seen to break over a memory that is broken", arguments: MemoryFlaw.allCases)
    func brokenMemory(_ flaw: MemoryFlaw) {
        let scenario = AdmissionScenario(limit: 1, queueLimit: 1) { $0.count = 2 }
        #expect(scenario.explored().fault == nil)
        #expect(scenario.explored(flaw).fault != nil)
    }

    /// Else the cases above that begin with such a past would say nothing.
    @Test("turns the queue round in some orders, and back in others", arguments: [QueueOrder.arrival, .newest])
    func turns(from order: QueueOrder) {
        let scenario = AdmissionScenario(limit: 1, queueLimit: 2) {
            ($0.past, $0.leavers) = (order == .arrival ? .turnsAtNextGiveUp : .turnsBackAtNextAnswer, [0])
        }
        var hasTurned = false
        _ = scenario.explored { if $0.turnedFrom == order { hasTurned = true } }
        #expect(hasTurned)
    }
}
