// SPDX-License-Identifier: Apache-2.0
// In the place of WeirFlow's file of this name: a mean that stays what it is. Nobody's slot depends on it, and each
// access to it would be one more step for the others to come between.

struct ExecutionEstimate: ~Copyable {
    static let executionMax: Nanoseconds = 1 << 42 - 1

    /// Nothing was measured, so that nobody is turned away by an expectation.
    let mean: Nanoseconds = 0

    func record(atLeast nanoseconds: Nanoseconds) {}
    func record(_ nanoseconds: Nanoseconds) {}
}
