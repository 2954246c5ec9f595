// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct ReplicaCountTests {
    /// What was observed when, and what is answered then: seconds.
    struct Course: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let observed: [(second: UInt64, count: Int)]
        let answered: [(second: UInt64, count: Int)]
    }

    static let courses = [
        Course(
            testDescription: "a rise counts at once",
            observed: [(0, 3), (5, 7)],
            answered: [(0, 3), (4, 3), (5, 7)]
        ),
        Course(
            testDescription: "a fall counts after 30 s",
            observed: [(10, 5), (20, 2)],
            answered: [(20, 5), (49, 5), (50, 2), (500, 2)]
        ),
        Course(
            testDescription: "a pod that comes back in time was never gone",
            observed: [(0, 5), (10, 4), (39, 5), (45, 5)],
            answered: [(10, 5), (39, 5), (41, 5), (100, 5)]
        ),
        Course(
            testDescription: "a second fall does not delay the first, and waits for its own 30 s",
            observed: [(0, 5), (10, 4), (30, 2)],
            answered: [(39, 5), (40, 4), (69, 4), (70, 2)]
        ),
        Course(
            testDescription: "the highest number since the fall began is the next",
            observed: [(0, 9), (10, 2), (20, 6), (30, 3)],
            answered: [(39, 9), (40, 6), (69, 6), (70, 3)]
        ),
        Course(
            testDescription: "a rise during a fall counts at once where it is above the old number",
            observed: [(0, 5), (10, 2), (20, 8)],
            answered: [(19, 5), (20, 8), (60, 8)]
        ),
        Course(
            testDescription: "several falls are worked off when nobody asked for long",
            observed: [(0, 9), (10, 5), (20, 3)],
            answered: [(1000, 3)]
        ),
        Course(
            testDescription: "none and fewer count as one",
            observed: [(0, 0), (10, -4)],
            answered: [(0, 1), (10, 1), (50, 1)]
        ),
    ]

    @Test(arguments: courses) func `the number rises at once and falls late`(_ course: Course) {
        var replicas = ReplicaCount()
        var observed = course.observed[...]
        for (second, count) in course.answered {
            while let next = observed.first, next.second <= second {
                replicas.observe(next.count, at: next.second * 1_000_000_000)
                observed.removeFirst()
            }
            #expect(replicas.count(at: second * 1_000_000_000) == count, "at \(second) s")
        }
        #expect(observed.isEmpty)
    }

    @Test func `it is never below what was seen within 30 s, and falls to that within 60 s more`() {
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        var replicas = ReplicaCount()
        var seen: [Int] = []
        for second in 0..<5000 {
            seen.append(random.oneIn(10) ? random.below(12) : seen.last ?? 1)
            replicas.observe(seen[second], at: UInt64(second) * 1_000_000_000)
            let count = replicas.count(at: UInt64(second) * 1_000_000_000)
            let least = max(1, seen.suffix(30).max() ?? 1)
            let most = max(1, seen.suffix(91).max() ?? 1)
            guard count < least || count > most else { continue }
            Issue.record("at \(second) s: \(count), not from \(least) to \(most); seed \(seed)")
            return
        }
    }
}
