// SPDX-License-Identifier: Apache-2.0
// Names by a resolver that blocks: which of them hold up which.

import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport
import WeirUpstream

@Suite struct NameLookupsTests {
    /// Names that begin with `stuck` are found when the test says so.
    ///
    /// `@unchecked Sendable`: the answers are touched by the test's thread alone, which turns the loop.
    private final class InHand: @unchecked Sendable {
        let loop: EventLoop
        let isOpen = Atomic<Bool>(false)
        let asked = Mutex<[String]>([])
        var answers: [String] = []
        private(set) var lookups: NameLookups!

        init() throws {
            loop = try EventLoop(index: 0, name: "test", metrics: MetricsShard())
            lookups = NameLookups(on: loop) { [self] name, port in
                asked.withLock { $0.append(name) }
                eventually("it may be found") { !name.hasPrefix("stuck") || isOpen.load(ordering: .relaxed) }
                return [SocketAddress(host: "127.0.0.1", port: port)!]
            }
        }

        func resolve(_ name: String) {
            lookups.resolve(name, 80, loop) { [self] found in
                #expect(found.count == 1)
                answers.append(name)
            }
        }

        func turn(until count: Int) {
            eventually("\(count) are found") {
                loop.submit { _ in }
                loop.turn()
                return answers.count >= count
            }
        }

        func end() {
            loop.stop()
            loop.run()
            lookups = nil
        }
    }

    @Test func `a name that is not found for long holds no other up`() throws {
        let test = try InHand()
        test.resolve("stuck")
        for _ in 0..<3 { test.resolve("well") }
        test.turn(until: 3)
        #expect(test.answers == ["well", "well", "well"])
        // Each once, however many ask.
        #expect(test.asked.withLock { $0.count { $0 == "well" } } == 1)
        test.isOpen.store(true, ordering: .relaxed)
        test.turn(until: 4)
        test.end()
    }

    @Test func `there are never more threads than that`() throws {
        let test = try InHand()
        let count = NameLookups.concurrencyMax + 4
        for number in 0..<count { test.resolve("stuck\(number)") }
        eventually("all threads ask") { test.asked.withLock { $0.count } == NameLookups.concurrencyMax }
        test.isOpen.store(true, ordering: .relaxed)
        test.turn(until: count)
        #expect(test.asked.withLock { Set($0).count } == count)
        test.end()
    }
}
