// SPDX-License-Identifier: Apache-2.0
// What is asked of a store for one request, and what it may answer. Values.

/// One of the limits that a request counts for.
@safe
package struct StoreItem {
    /// The limit's index among those that the store was opened with.
    package let limit: Int
    /// By what this process knows whom it is counted for: a `KeyHash` value.
    package let hash: UInt64
    /// By what every replica knows it; nil for a limit that counts all requests together. The memory is the asker's,
    /// valid while it asks.
    package let key: UnsafeRawBufferPointer?

    package init(limit: Int, hash: UInt64, key: UnsafeRawBufferPointer?) {
        self.limit = limit
        self.hash = hash
        unsafe self.key = unsafe key
    }
}

/// What comes of a request's limits: all are charged, or none.
package enum StoreAnswer: Sendable, Equatable {
    case allowed
    /// By the limit at this place among those that were asked for.
    case refused(by: Int)
    /// The local share decides. It may have been counted.
    case unavailable(StoreUnavailable)
}

/// Why a store does not answer.
package enum StoreUnavailable: Sendable, Equatable {
    /// There is no connection that is ready.
    case away
    /// It takes longer than the budget, or has not answered an earlier check within its own.
    case slow
    /// As many checks as may be are on their way.
    case full
    /// A key is longer than what a store is asked to keep.
    case longKey
}

/// What became of asking.
package enum StoreCheck: Sendable, Equatable {
    case answered(StoreAnswer)
    /// The answer comes later, never inside the call.
    case waiting(StoreTicket)
}

/// Names a check that waits for its answer; never reused.
package struct StoreTicket: Sendable, Equatable {
    package let number: UInt64

    package init(number: UInt64) {
        self.number = number
    }
}
