// SPDX-License-Identifier: Apache-2.0
// A small case of an admission pool: who comes, and what happens meanwhile.

package struct AdmissionScenario: Sendable {
    /// What the queue's past has it do at the next sign.
    package enum Past: Sendable { case turnsAtNextGiveUp, turnsBackAtNextAnswer }

    package var limit: Int
    package var queueLimit: Int
    package var count = 3
    /// Changes that one thread makes, one after the other.
    package var newLimit: Int?
    package var newQueueLimit: Int?
    package var criticals: Set<Int> = []
    /// Those with a deadline, which passes at any time.
    package var deadlines: Set<Int> = []
    /// Those whose clients leave while they run, which had waited.
    package var leavers: Set<Int> = []
    package var past: Past?
    /// How many compare-and-swaps fail for no reason.
    package var failures = 0

    package init(limit: Int, queueLimit: Int, change: (inout AdmissionScenario) -> Void = { _ in }) {
        self.limit = limit
        self.queueLimit = queueLimit
        change(&self)
    }

    /// All orders of it; the world of each run is shown at its end.
    package func explored(_ flaw: MemoryFlaw? = nil, show: (AdmissionWorld) -> Void = { _ in }) -> Exploration {
        Exploration(flaw: flaw, failures: failures, of: { AdmissionWorld(self, $0) }, show: show)
    }
}

extension AdmissionScenario: CustomStringConvertible {
    package var description: String {
        var parts = ["\(count) requests, \(limit) run, \(queueLimit) wait"]
        if let newLimit { parts.append("then \(newLimit) run") }
        if let newQueueLimit { parts.append("then \(newQueueLimit) wait") }
        if !criticals.isEmpty { parts.append("critical \(criticals.sorted())") }
        if !deadlines.isEmpty { parts.append("late \(deadlines.sorted())") }
        if !leavers.isEmpty { parts.append("left by their clients \(leavers.sorted())") }
        if let past { parts.append("the order \(past)") }
        if failures > 0 { parts.append("\(failures) exchanges fail") }
        return parts.joined(separator: ", ")
    }
}
