// SPDX-License-Identifier: Apache-2.0
// What a refusal for want of room has found, for those that come before anything changes. Any thread reads it; the
// holder of the pool's mutex writes it.

import Synchronization

/// While the queue stays as it is, a request that is no more important than one that found no room finds none either. So
/// under overload, where most requests are refused, few of them take the pool's mutex.
///
/// All relaxed: who sees a finding that has just been dropped is refused as if it had come a moment before.
struct FullQueue: ~Copyable, Sendable {
    /// From the lowest bit: whether there is a finding, the class of who found it, and the seconds of its Retry-After; the
    /// upper bits are those of the instant. 0 is no finding.
    private let finding = Atomic<UInt64>(0)

    /// A finding holds to the end of its 2^20 ns, about a millisecond: then the wait is worked out anew.
    private static let instantShift: UInt64 = 20
    private static let secondsShift: UInt64 = 4
    private static let secondsMask: UInt64 = 63
    private static let priorityShift: UInt64 = 1
    private static let priorityMask: UInt64 = 3
    private static let isThere: UInt64 = 1

    /// What a request of this class would be told, had it asked under the mutex; nil where that is not known.
    func retryAfterSeconds(_ priority: Priority, now: Nanoseconds) -> Int? {
        let finding = finding.load(ordering: .relaxed)
        guard finding & Self.isThere != 0, finding &>> Self.instantShift == now &>> Self.instantShift,
            UInt64(priority.rawValue) >= finding &>> Self.priorityShift & Self.priorityMask
        else { return nil }
        return Int(finding &>> Self.secondsShift & Self.secondsMask)
    }

    /// A request of this class has found no room. Under the mutex.
    func note(_ priority: Priority, retryAfterSeconds: Int, now: Nanoseconds) {
        precondition(UInt64(retryAfterSeconds) <= Self.secondsMask, "seconds that do not fit")
        finding.store(
            (now &>> Self.instantShift) &<< Self.instantShift
                | UInt64(retryAfterSeconds) &<< Self.secondsShift
                | UInt64(priority.rawValue) &<< Self.priorityShift
                | Self.isThere,
            ordering: .relaxed
        )
    }

    /// The queue or its limit is another now. Under the mutex.
    func forget() {
        // Where nothing is refused the line stays everybody's.
        if finding.load(ordering: .relaxed) != 0 { finding.store(0, ordering: .relaxed) }
    }
}
