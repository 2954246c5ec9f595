// SPDX-License-Identifier: Apache-2.0
// Random numbers for choices that nobody gains from guessing. A value; each loop has its own.

/// wyrand (Wang Yi, 2019): one addition and one multiplication a number, 8 bytes of state. It passes BigCrush and
/// PractRand. Not for secrets.
package struct WyRand: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    /// With a seed from the system: loops must not choose alike.
    package init() {
        state = UInt64.random(in: .min ... .max)
    }

    @inline(__always)
    package mutating func next() -> UInt64 {
        state &+= 0xA076_1D64_78BD_642F
        let (high, low) = state.multipliedFullWidth(by: state ^ 0xE703_7ED1_A0B4_28DB)
        return high ^ low
    }
}
