// SPDX-License-Identifier: Apache-2.0
// Keys that are over their limit, as Redis last said: they are refused here until it would admit them. Owned by a
// limiter, on its loop's thread.

package import WeirEventLoop

/// A table of fixed size, one place per hash: a newer refusal takes the place of an older one.
///
/// It never refuses what Redis would admit: what is owed for a key drains no faster than time passes, others can only
/// add to it, and it is counted from when the check was sent, which is before Redis decided. Keys are told apart by a
/// hash of 64 bits that nobody can collide on purpose.
package struct RefusedKeys: ~Copyable {
    private static let placeCount = 1024

    private struct Place {
        var key: UInt64 = 0
        var limit: Int32 = -1
        /// The instant at which the tolerance is owed exactly: from then on a check of price 0 would be admitted.
        var drainedAt: Int64 = 0
    }

    private let places: UnsafeMutablePointer<Place>

    package init() {
        places = .allocate(capacity: Self.placeCount)
        places.initialize(repeating: Place(), count: Self.placeCount)
    }

    deinit {
        places.deallocate()
    }

    /// Redis refused a check of `price` that was sent at `sentAt`, for `retryAfter`.
    package func note(_ key: UInt64, limit: Int, price: Nanoseconds, retryAfter: Nanoseconds, sentAt: Nanoseconds) {
        let drainedAt = Int64(clamping: sentAt) + Int64(clamping: retryAfter) - Int64(clamping: price)
        place(key, limit).pointee = Place(key: key, limit: Int32(limit), drainedAt: drainedAt)
    }

    /// How long a check of `price` still comes too early; nil if that is not known.
    package func retryAfter(_ key: UInt64, limit: Int, price: Nanoseconds, at now: Nanoseconds) -> Nanoseconds? {
        let place = place(key, limit)
        guard place.pointee.limit == Int32(limit), place.pointee.key == key else { return nil }
        let wait = place.pointee.drainedAt + Int64(clamping: price) - Int64(clamping: now)
        return wait > 0 ? Nanoseconds(wait) : nil
    }

    private func place(_ key: UInt64, _ limit: Int) -> UnsafeMutablePointer<Place> {
        let mixed = (key ^ UInt64(limit)) &* 0x9E37_79B9_7F4A_7C15
        return places + Int(mixed >> 54)
    }
}
