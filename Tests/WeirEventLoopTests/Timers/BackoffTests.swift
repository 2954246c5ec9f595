// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct BackoffTests {
    @Test func `waits double up to a bound, each from half to all of it, and begin again`() {
        var random = SeededGenerator(seed: 1)
        var backoff = Backoff(from: 100_000_000, to: 5_000_000_000)
        for _ in 0..<2 {
            for whole: UInt64 in [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
                let wait = backoff.next(using: &random)
                #expect(wait >= whole * 500_000 && wait <= whole * 1_000_000)
            }
            backoff.reset()
        }
    }
}
