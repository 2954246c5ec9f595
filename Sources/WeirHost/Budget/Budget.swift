// SPDX-License-Identifier: Apache-2.0
// What the sources of a resource come to. Pure.

/// How much of one resource this process may use, and who said so.
package struct Budget: Sendable, Equatable {
    /// Everything that was looked at, in the order in which it was read.
    package let sources: [BudgetSource]

    /// The source that decided: of those that count the one with the smallest amount, the first of several. Nil where
    /// none said an amount.
    package let deciding: BudgetSource?

    /// The first source that could not be read for want of a descriptor, or the like; nil where there is none. With one,
    /// the amount may be that of the node and not of the pod: a budget that was read before is the better one.
    package let unread: BudgetSource?

    /// The smallest of what the machine has and what it limits. Only where nothing is limited the request counts as well.
    package init(sources: [BudgetSource]) {
        self.sources = sources
        unread = sources.first(where: \.isUnread)
        let isLimited = sources.contains { $0.role == .limit && $0.amount != nil }
        let counting = sources.filter { source in
            switch source.role {
            case .capacity, .limit: source.amount != nil
            case .request: source.amount != nil && !isLimited
            case .information: false
            }
        }
        deciding = counting.min { ($0.amount ?? .infinity) < ($1.amount ?? .infinity) }
    }

    /// The amount in the unit of the resource; nil where nothing says one.
    package var amount: Double? { deciding?.amount }
}
