// SPDX-License-Identifier: Apache-2.0
// Tests that need a program of the machine. Skipped tests show nothing: so they run without it, and fail, but where
// TESTS_MAY_SKIP says that they may be skipped (as Tests/EndToEnd/skips.py has it).

import Glibc
package import Testing

extension Trait where Self == ConditionTrait {
    /// - Parameter isThere: whether this machine has what the test needs.
    package static func needs(_ isThere: Bool, _ what: Comment) -> Self {
        .enabled(if: isThere || getenv("TESTS_MAY_SKIP") == nil, what)
    }
}
