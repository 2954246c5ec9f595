// SPDX-License-Identifier: Apache-2.0
// When the ticket keys change that a process has made for itself. A value of the thread that follows the files.

/// A new key each hour. Those before it open tickets for as long as one that they have sealed may be shown: two hours.
package struct TicketRotation {
    /// For how long a key seals.
    package static let keyAgeNanoseconds: UInt64 = 3_600_000_000_000
    /// Keys that seal no longer.
    package static let keysKept = 2

    private let keys: TicketKeys
    private var changedAt: UInt64

    /// - Parameter now: when the present key was made, in nanoseconds of a clock that never goes back.
    package init(_ keys: TicketKeys, at now: UInt64) {
        self.keys = keys
        changedAt = now
    }

    /// Changes the key if it is time to. Where no random bytes are to be had the next look tries again.
    package mutating func look(at now: UInt64) {
        guard now >= changedAt + Self.keyAgeNanoseconds, let key = try? TicketKeys.Key() else { return }
        keys.rotate(to: key, keeping: Self.keysKept)
        changedAt = now
    }
}
