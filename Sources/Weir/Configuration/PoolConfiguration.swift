// SPDX-License-Identifier: Apache-2.0
// A pool that several routes share.

/// So many requests of a pool run at once, and so many wait for that.
package struct PoolConfiguration: Sendable, Equatable {
    /// The label of its metrics.
    package var name = ""
    package var concurrency: Settings.Concurrency
    package var queue: Settings.Count
}

extension PoolConfiguration: ConfigurationObject {
    static let name = "pool"
    static let summary = "So many requests of the routes that name it run at once, and so many wait for that."

    /// The most pools.
    static let countMax = 1000

    static let fields = [
        ConfigurationField<Self>(
            "concurrency",
            \.concurrency,
            .value(.concurrency(1...1_000_000)),
            "How many run at once; `auto` is 256 for each CPU here",
            inherits: "WEIR_CONCURRENCY"
        ),
        ConfigurationField<Self>(
            "queue",
            \.queue,
            .value(.count(0...1_000_000)),
            "How many wait; one more is answered 503",
            inherits: "WEIR_QUEUE"
        ),
    ]

    package init(_ settings: Settings) {
        concurrency = settings.admission.concurrency
        queue = settings.admission.queueMax
    }

    @Sendable static func named(_ name: String, _ pool: Self) -> Self {
        var pool = pool
        pool.name = name
        return pool
    }
}
