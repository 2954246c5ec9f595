// SPDX-License-Identifier: Apache-2.0
// What is wrong with the text of a rate limit: where it stands, and what would be right.

package struct RateLimitSyntaxError: Error, Equatable, Sendable {
    package enum Problem: Equatable, Sendable {
        case emptyItem
        /// Not `AMOUNT/PERIOD`.
        case malformedRate
        case amountOutOfRange
        case unknownUnit
        case periodOutOfRange
        case unknownOption
        case repeatedOption
        /// An option without `=`, or with nothing after it.
        case missingValue
        case malformedBurst
        case burstOutOfRange
        /// The rate takes longer than `RateLimit.refillMax` to fill the burst.
        case burstRefillsTooSlowly
        /// A sliding window's quota is its amount.
        case burstOfSlidingWindow
        /// The amount is more than `most`, the most that a sliding window of this period counts.
        case amountOfSlidingWindow(most: UInt64)
        case unknownKey
        case malformedHeaderName
        case malformedParameterName
        case unknownAlgorithm
        case malformedName
        /// The name is that of another item.
        case repeatedName(item: Int)
    }

    package let problem: Problem
    /// Counted from 1.
    package let item: Int
    /// The option's name; nil for the rate.
    package let option: String?
    /// What stands there.
    package let text: String

    package init(_ problem: Problem, item: Int, option: String? = nil, text: String) {
        self.problem = problem
        self.item = item
        self.option = option
        self.text = text
    }
}

extension RateLimitSyntaxError: CustomStringConvertible {
    package var description: String {
        "item \(item), \(option.map { "option \($0)" } ?? "rate"), `\(text)`: \(problem.expected)"
    }
}

extension RateLimitSyntaxError.Problem {
    package var expected: String {
        switch self {
        case .emptyItem: "nothing stands here; a limit looks like 100/s;burst=20;by=client"
        case .malformedRate: "a rate is a number, a slash and a period, such as 100/s or 5/10m"
        case .amountOutOfRange: "the amount must be 1 to 1000000000"
        case .unknownUnit: "the unit must be s, m, h or d"
        case .periodOutOfRange: "the period must be 1s to 365d"
        case .unknownOption: "the options are burst, by, algorithm and name"
        case .repeatedOption: "the option may stand once only"
        case .missingValue: "an option is a name, = and a value, such as burst=20"
        case .malformedBurst: "a burst is a whole number of requests"
        case .burstOutOfRange: "the burst must be 1 to 1000000000"
        case .burstRefillsTooSlowly: "at this rate the burst takes more than 365d to come back; make it smaller"
        case .burstOfSlidingWindow: "a sliding window has no burst, its amount is the most; leave it out, or use gcra"
        case .amountOfSlidingWindow(let most): "a sliding window of this period counts to \(most); use gcra"
        case .unknownKey: "by must be none, client, subject, host, route, header:NAME or param:NAME"
        case .malformedHeaderName: "a header's name is 1 to 128 letters, digits or any of !#$%&'*+-.^_`|~"
        case .malformedParameterName: "a parameter's name is 1 to 128 visible ASCII characters"
        case .unknownAlgorithm: "algorithm must be gcra, sliding-window or token-bucket"
        case .malformedName: "a name is 1 to 64 printable ASCII characters other than quotes and backslashes"
        case .repeatedName(let item): "item \(item) has this name already; give one of them another"
        }
    }
}
