// SPDX-License-Identifier: Apache-2.0
// How many file descriptors this process may have open.

import Glibc

/// The limits of open file descriptors. The most connections are worked out from them.
package struct DescriptorLimit: Sendable, Equatable {
    /// What the kernel enforces now.
    package let soft: Int

    /// How far ``soft`` may be raised.
    package let hard: Int

    package init(soft: Int, hard: Int) {
        self.soft = soft
        self.hard = hard
    }

    /// The limits as they are.
    package static var current: DescriptorLimit {
        var limit = rlimit()
        let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        precondition(result == 0, "getrlimit takes a known resource and a valid address")
        return DescriptorLimit(soft: Int(clamping: limit.rlim_cur), hard: Int(clamping: limit.rlim_max))
    }

    /// Raises the soft limit to the hard one, as every server should that does not use `select`, and returns the limits
    /// that then hold. Where the kernel refuses, they are as before.
    @discardableResult
    package static func raiseSoftLimitToHard() -> DescriptorLimit {
        let before = current
        guard before.soft < before.hard else { return before }
        var limit = rlimit(rlim_cur: rlim_t(before.hard), rlim_max: rlim_t(before.hard))
        if before.hard == Int.max { limit = rlimit(rlim_cur: rlim_t.max, rlim_max: rlim_t.max) }
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return current
    }

    /// The limits as a budget: the hard one decides, as the soft one is raised to it at the start.
    package var budget: Budget {
        Budget(sources: [
            Self.source("RLIMIT_NOFILE, soft", .information, soft), Self.source("RLIMIT_NOFILE, hard", .limit, hard),
        ])
    }

    private static func source(_ name: String, _ role: BudgetSource.Role, _ count: Int) -> BudgetSource {
        count == .max
            ? BudgetSource(name, role, text: "unlimited", .unlimited)
            : BudgetSource(name, role, text: "\(count)", .amount(Double(count)))
    }
}
