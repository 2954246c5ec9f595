// SPDX-License-Identifier: Apache-2.0
// SipHash-1-3 against vectors of another implementation.

import Testing
import WeirFlow

@Suite struct KeyHashTests {
    private static let seed: (UInt64, UInt64) = (0xaed6_6ce1_84be_2329, 0xebe9_bbf1_f149_9052)

    // From CPython 3.11, whose hash of bytes is SipHash-1-3 under a key that PYTHONHASHSEED gives: 0, and 1.
    @Test(
        "The bytes 0, 1, 2 … have the hashes that CPython gives them",
        arguments: [
            (1, 0x68a9_1412_8e01_e473, 0xecd3_e5af_cecd_a4b9), (7, 0x2f09_8ab0_c751_325a, 0xfd15_e780_52a6_9ddf),
            (8, 0xead4_11e6_7ebe_2eea, 0xc0b5_739e_7e28_dd01), (9, 0x7592_7f9d_9512_4362, 0x208a_1a5a_0cbb_f778),
            (15, 0xf30e_b725_bb91_c9ea, 0xfa87_985f_39e9_7a53), (16, 0x8972_1884_33a5_c5b7, 0x12e9_d283_f9f3_7002),
            (17, 0x4883_c49a_2c00_9c1d, 0x9f5b_b423_7f61_907f), (63, 0x385d_3e39_e5f3_7359, 0x5420_5234_5bc6_8274),
        ] as [(Int, UInt64, UInt64)]
    )
    func vectors(count: Int, unseeded: UInt64, seeded: UInt64) {
        let bytes = (0..<UInt8(count)).map { $0 }
        #expect(KeyHash(seed: (0, 0)).value(bytes.span.bytes) == unseeded)
        #expect(KeyHash(seed: Self.seed).value(bytes.span.bytes) == seeded)
    }

    @Test("A limit's index counts as eight bytes before the key")
    func index() {
        let hash = KeyHash(seed: Self.seed)
        for (index, first) in [(0, 0), (1, 1), (258, 2)] as [(Int, UInt8)] {
            let key: [UInt8] = [10, 20, 30]
            let bytes: [UInt8] = [first, UInt8(index >> 8), 0, 0, 0, 0, 0, 0] + key
            #expect(hash.value(limit: index, key: key.span.bytes) == hash.value(bytes.span.bytes))
        }
    }

    @Test("A key that is a number has the hash of its eight bytes")
    func word() {
        let hash = KeyHash(seed: Self.seed)
        for word in [0, 1, 0x0102_0304_0506_0708, .max] as [UInt64] {
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
            #expect(hash.value(limit: 3, word: word) == hash.value(limit: 3, key: bytes.span.bytes))
        }
    }
}
