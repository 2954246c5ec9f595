// SPDX-License-Identifier: Apache-2.0
// The checks whose replies are still to come, in the order in which they were sent: Redis answers in it. Owned by a
// limiter, on its loop's thread.

import WeirEventLoop
import WeirFlow

/// A ring of fixed size. Every check is first expected, then either replied to in time or overdue, and leaves with its
/// reply: an overdue one keeps its place, because its reply still comes before those of later ones.
struct ChecksInFlight: ~Copyable {
    struct Check {
        /// Who is told; nil when it was told already, or does not want to know any more.
        var taker: UnsafeMutableRawPointer?
        let items: InlineArray<8, Item>
        let itemCount: Int
        let cost: UInt32
        let sentAt: Nanoseconds
    }

    /// A limit, and the hash of whom it is counted for.
    struct Item {
        var limit: Int = 0
        var key: UInt64 = 0
    }

    private let places: UnsafeMutablePointer<Check>
    private let capacity: Int
    /// Numbers of checks, never reused: the first without its reply, the first that is not overdue, the next to be sent.
    private var replied: UInt64 = 0
    private var overdue: UInt64 = 0
    private var sent: UInt64 = 0

    init(capacity: Int) {
        precondition(capacity > 0, "at least one check may be on its way")
        self.capacity = capacity
        places = .allocate(capacity: capacity)
    }

    deinit {
        places.deallocate()
    }

    var isEmpty: Bool { replied == sent }
    var isFull: Bool { sent - replied == UInt64(capacity) }
    /// Whether the oldest check is overdue: then no later one can be replied to before it is.
    var isOverdue: Bool { replied < overdue }

    /// When the oldest check was sent that has no reply.
    var oldestSentAt: Nanoseconds? { isEmpty ? nil : place(replied).pointee.sentAt }

    /// When the oldest check was sent that is not overdue.
    var oldestExpectedSentAt: Nanoseconds? { overdue == sent ? nil : place(overdue).pointee.sentAt }

    mutating func append(_ check: Check) -> StoreTicket {
        precondition(!isFull, "more checks are on their way than may be")
        place(sent).initialize(to: check)
        sent += 1
        return StoreTicket(number: sent - 1)
    }

    /// Takes the check that a reply belongs to.
    mutating func takeReplied() -> Check? {
        guard replied < sent else { return nil }
        let check = place(replied).pointee
        replied += 1
        overdue = max(overdue, replied)
        return check
    }

    /// Makes the next check overdue that was sent at `instant` or before; answers who is to be told.
    mutating func takeOverdue(sentBy instant: Nanoseconds) -> UnsafeMutableRawPointer? {
        while overdue < sent, place(overdue).pointee.sentAt <= instant {
            let taker = place(overdue).pointee.taker
            place(overdue).pointee.taker = nil
            overdue += 1
            if let taker { return taker }
        }
        return nil
    }

    mutating func forget(_ ticket: StoreTicket) {
        guard ticket.number >= replied, ticket.number < sent else { return }
        place(ticket.number).pointee.taker = nil
    }

    private func place(_ number: UInt64) -> UnsafeMutablePointer<Check> { places + Int(number % UInt64(capacity)) }
}
