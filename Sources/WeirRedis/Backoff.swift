// SPDX-License-Identifier: Apache-2.0
// How long to wait before Redis is tried again. A value.

package import WeirEventLoop

/// Doubles from 100 ms to 5 s; each wait is a random part of that, from half to all, so that the loops and replicas
/// that lost Redis together do not come back together.
package struct Backoff {
    package static let firstNanoseconds: Nanoseconds = 100_000_000
    package static let lastNanoseconds: Nanoseconds = 5_000_000_000

    private var whole = Self.firstNanoseconds

    package init() {}

    package mutating func next(using random: inout some RandomNumberGenerator) -> Nanoseconds {
        let wait = Nanoseconds.random(in: whole / 2...whole, using: &random)
        whole = min(whole * 2, Self.lastNanoseconds)
        return wait
    }

    package mutating func reset() {
        whole = Self.firstNanoseconds
    }
}
