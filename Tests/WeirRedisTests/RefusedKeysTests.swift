// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirRedis
import WeirTestSupport

@Suite struct RefusedKeysTests {
    private static let key = UInt64(1)

    @Test func `a refusal holds until its time has come, for that key and limit alone`() {
        let keys = RefusedKeys()
        keys.note(Self.key, limit: 3, price: 10, retryAfter: 100, sentAt: 1000)
        #expect(keys.retryAfter(Self.key, limit: 3, price: 10, at: 1000) == 100)
        #expect(keys.retryAfter(Self.key, limit: 3, price: 10, at: 1099) == 1)
        #expect(keys.retryAfter(Self.key, limit: 3, price: 10, at: 1100) == nil)
        #expect(keys.retryAfter(Self.key, limit: 4, price: 10, at: 1000) == nil)
        #expect(keys.retryAfter(2, limit: 3, price: 10, at: 1000) == nil)
    }

    @Test func `what costs less may come earlier, what costs more later`() {
        let keys = RefusedKeys()
        keys.note(Self.key, limit: 0, price: 50, retryAfter: 20, sentAt: 1000)
        #expect(keys.retryAfter(Self.key, limit: 0, price: 40, at: 1000) == 10)
        #expect(keys.retryAfter(Self.key, limit: 0, price: 30, at: 1000) == nil)
        #expect(keys.retryAfter(Self.key, limit: 0, price: 60, at: 1000) == 30)
    }

    @Test func `a newer refusal takes an older one's place, and none is mistaken for another`() {
        let keys = RefusedKeys()
        var random = SeededGenerator(seed: 7)
        for _ in 0..<10_000 {
            let key = random.next()
            keys.note(key, limit: 0, price: 1, retryAfter: 5, sentAt: 0)
            #expect(keys.retryAfter(key, limit: 0, price: 1, at: 0) == 5)
            #expect(keys.retryAfter(key ^ 1, limit: 0, price: 1, at: 0) == nil)
        }
    }
}
