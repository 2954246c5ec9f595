// SPDX-License-Identifier: Apache-2.0
// What a health check says, in Consul's three words. Pure.

/// The state of a check, and of what it looks after. Ordered from good to bad.
package enum CheckStatus: String, Sendable, Comparable, CaseIterable {
    /// All is well.
    case passing
    /// It serves, and has said that it would rather serve less.
    case warning
    /// It must not be sent anything.
    case critical

    /// What the status of an answer to an HTTP check means: 2xx, 429 (RFC 6585 section 4), and all others.
    package init(httpStatus: Int) {
        switch httpStatus {
        case 200...299: self = .passing
        case 429: self = .warning
        default: self = .critical
        }
    }

    package static func < (left: CheckStatus, right: CheckStatus) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .passing: 0
        case .warning: 1
        case .critical: 2
        }
    }
}

extension Sequence<CheckStatus> {
    /// The worst of them; what nobody checks is passing.
    package var worst: CheckStatus { self.max() ?? .passing }
}
