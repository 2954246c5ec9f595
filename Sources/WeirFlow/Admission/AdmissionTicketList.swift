// SPDX-License-Identifier: Apache-2.0
// Tickets in a row, linked through themselves. Pure; whoever holds the list owns the links of those in it.

/// First in, first out; any ticket can be taken out. Allocates nothing.
@safe
package struct AdmissionTicketList: Sendable {
    package private(set) var count = 0
    private(set) var first: AdmissionTicket?
    /// Unsafe: the row that begins with `first` holds it.
    private unowned(unsafe) var tail: AdmissionTicket?

    /// The newest.
    var last: AdmissionTicket? { unsafe tail }

    mutating func append(_ ticket: AdmissionTicket) {
        unsafe ticket.previous = unsafe tail
        if let tail = unsafe tail { tail.next = ticket } else { first = ticket }
        unsafe tail = ticket
        count += 1
    }

    mutating func remove(_ ticket: AdmissionTicket) {
        let next = ticket.next
        let previous = unsafe ticket.previous
        if let previous { previous.next = next } else { first = next }
        if let next { unsafe next.previous = previous } else { unsafe tail = previous }
        ticket.next = nil
        unsafe ticket.previous = nil
        count -= 1
    }

    package mutating func popFirst() -> AdmissionTicket? {
        guard let ticket = first else { return nil }
        remove(ticket)
        return ticket
    }
}
