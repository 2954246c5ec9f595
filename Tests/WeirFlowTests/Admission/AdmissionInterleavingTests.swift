// SPDX-License-Identifier: Apache-2.0
// Every order in which the atomic steps of a few requests can happen.

import Testing
import WeirFlow

@Suite("The admission pool's protocol")
struct AdmissionInterleavingTests {
    struct Case: CustomTestStringConvertible {
        let limit: Int
        let queueLimit: Int
        var newLimit: Int?
        var criticals: Set<Int> = []
        var deadlines: Set<Int> = []
        var count = 3
        var turns = false

        var testDescription: String {
            "\(count) requests, \(limit) run, \(queueLimit) wait"
                + (newLimit.map { ", then \($0) run" } ?? "")
                + (criticals.isEmpty ? "" : ", critical \(criticals.sorted())")
                + (deadlines.isEmpty ? "" : ", late \(deadlines.sorted())")
                + (turns ? ", the order turns" : "")
        }

        var start: InterleavingWorld {
            InterleavingWorld(
                word: AdmissionWord(executing: 0, queued: 0, limit: limit),
                queueLimit: queueLimit,
                turns: turns,
                requests: (0..<count).map { number in
                    .init(isCritical: criticals.contains(number), hasDeadline: deadlines.contains(number))
                },
                limiter: newLimit.map { .locking(limit: $0) } ?? .none,
                isLate: deadlines.isEmpty ? nil : false
            )
        }
    }

    static let cases = [
        Case(limit: 1, queueLimit: 0),
        Case(limit: 1, queueLimit: 1),
        Case(limit: 1, queueLimit: 2),
        Case(limit: 2, queueLimit: 1),
        Case(limit: 1, queueLimit: 1, criticals: [0]),
        Case(limit: 1, queueLimit: 2, criticals: [1, 2]),
        Case(limit: 1, queueLimit: 2, deadlines: [1]),
        Case(limit: 1, queueLimit: 2, deadlines: [0, 1, 2]),
        Case(limit: 1, queueLimit: 1, newLimit: 2),
        Case(limit: 1, queueLimit: 2, newLimit: 2),
        Case(limit: 2, queueLimit: 1, newLimit: 1),
        Case(limit: 1, queueLimit: 2, newLimit: 2, deadlines: [1], count: 2),
        Case(limit: 2, queueLimit: 2, newLimit: 1, deadlines: [0], count: 2),
        Case(limit: 2, queueLimit: 2, count: 4),
        Case(limit: 1, queueLimit: 1, newLimit: 2, criticals: [2], deadlines: [1]),
        Case(limit: 1, queueLimit: 2, count: 4, turns: true),
        Case(limit: 1, queueLimit: 2, criticals: [3], count: 4, turns: true),
        Case(limit: 1, queueLimit: 2, newLimit: 2, deadlines: [1], turns: true),
    ]

    @Test(
        "holds in all orders of all steps: never above the limit, no wake-up lost, each request ends once",
        arguments: cases
    )
    func allOrders(_ scenario: Case) {
        var seen: Set<InterleavingWorld> = [scenario.start]
        var pending = [scenario.start]
        var rests = 0
        while let world = pending.popLast() {
            for next in world.successors() where seen.insert(next).inserted {
                if let fault = next.fault(after: world) ?? next.faultAtRest {
                    Issue.record("\(fault): \(next)")
                    return
                }
                if next.successors().isEmpty { rests += 1 }
                pending.append(next)
            }
        }
        #expect(rests > 0, "no order came to an end")
    }
}
