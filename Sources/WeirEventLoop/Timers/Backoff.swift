// SPDX-License-Identifier: Apache-2.0
// How long to wait before something that failed is tried again. A value.

/// Doubles from the first wait to the longest; each is a random part of that, from half to all, so that the loops and
/// replicas that lost a server together do not come back together.
package struct Backoff: Sendable {
    private let first: Nanoseconds
    private let longest: Nanoseconds
    private var whole: Nanoseconds

    package init(from first: Nanoseconds, to longest: Nanoseconds) {
        precondition(first > 0 && first <= longest, "waits grow from the first to the longest")
        self.first = first
        self.longest = longest
        whole = first
    }

    package mutating func next(using random: inout some RandomNumberGenerator) -> Nanoseconds {
        let wait = Nanoseconds.random(in: whole / 2...whole, using: &random)
        whole = min(whole * 2, longest)
        return wait
    }

    package mutating func reset() {
        whole = first
    }
}
