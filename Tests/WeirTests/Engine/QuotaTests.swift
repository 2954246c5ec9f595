// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import Weir
import WeirEventLoop

@Suite struct QuotaTests {
    @Test(arguments: [0, 1, 3])
    func `so many enter, and who leaves makes room`(max: Int) {
        let quota = Quota(max: max)
        for _ in 0..<max { #expect(quota.enter()) }
        #expect(!quota.enter())
        #expect(!quota.enter())
        #expect(quota.present == max)
        guard max > 0 else { return }
        quota.leave()
        #expect(quota.present == max - 1)
        #expect(quota.enter())
        #expect(!quota.enter())
    }

    @Test func `threads together never have more than the bound`() throws {
        let quota = Quota(max: 2)
        let inside = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let entered = Atomic<Int>(0)
        try withThreads(3) {
            for _ in 0..<30_000 where quota.enter() {
                entered.wrappingAdd(1, ordering: .relaxed)
                _ = most.max(inside.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
                inside.wrappingSubtract(1, ordering: .relaxed)
                quota.leave()
            }
        }
        #expect(most.load(ordering: .relaxed) <= 2)
        #expect(entered.load(ordering: .relaxed) > 0)
        #expect(quota.present == 0)
    }

    /// Runs `work` on so many threads and waits for all of them.
    private func withThreads(_ count: Int, _ work: @Sendable @escaping () -> Void) throws {
        guard count > 0 else { return }
        let thread = try SystemThread.start(work)
        try withThreads(count - 1, work)
        thread.join()
    }
}
