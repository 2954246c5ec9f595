// SPDX-License-Identifier: Apache-2.0
// A request's place in an admission pool's queue. Who may touch it when is told in AdmissionPool.swift.

/// A node of the queue. A request's owner makes one, keeps it, and uses it again; waiting allocates nothing.
///
/// Unchecked: all but `owner` is written under the mutex of the pool that it waits in, or by its owner while it is idle.
@safe
package final class AdmissionTicket: @unchecked Sendable {
    package enum State: UInt8, Sendable {
        /// In no queue. The owner's.
        case idle
        /// In a queue. The pool's.
        case waiting
        /// Out of the queue with a slot. A message to the owner is under way.
        case granted
        /// Out of the queue, for a request that is served sooner. A message to the owner is under way.
        case displaced
        /// Out of the queue for its deadline. No message: the owner's timer for that deadline calls `cancel`.
        case expired
        /// The owner has cancelled it while the message was under way, which is then of no account.
        case abandoned
    }

    /// What the receiver of the message needs to find the request. Set it before `enter`; the pool never reads it.
    package var owner: UnsafeMutableRawPointer?

    package internal(set) var state = State.idle
    package internal(set) var priority = Priority.default
    package internal(set) var deadline: Nanoseconds = .max
    package internal(set) var enqueuedAt: Nanoseconds = 0

    /// Which of the pool's shares it counts in.
    var share = 0

    var next: AdmissionTicket?
    /// Unsafe: the one before holds this one by `next`; both links change together, in `AdmissionTicketList`.
    unowned(unsafe) var previous: AdmissionTicket?
    /// Unsafe: of its share's row; both change in `QueueShare` while a list holds the ticket.
    unowned(unsafe) var nextOfShare: AdmissionTicket?
    unowned(unsafe) var previousOfShare: AdmissionTicket?

    package init(owner: UnsafeMutableRawPointer? = nil) {
        unsafe self.owner = unsafe owner
    }

    /// Makes the ticket idle when its message has come, and tells what became of it. On the owner's thread, once.
    ///
    /// `granted`: the request holds a slot, and `leave` must follow. `displaced`: it is to be refused. `abandoned`:
    /// nothing is to be done.
    package func reclaim() -> State {
        precondition(
            state == .granted || state == .displaced || state == .abandoned,
            "a ticket is reclaimed for which no message was due"
        )
        let outcome = state
        state = .idle
        return outcome
    }
}
