// SPDX-License-Identifier: Apache-2.0
// What of a pool's queue is one route's: how many, what their number has been, and who is the oldest. Pure; guarded by
// the pool's mutex.

/// The tickets of one share, in the order of their coming, whatever their class.
@safe
struct QueueShare {
    private(set) var count = 0
    private(set) var history: QueueHistory
    // Unsafe: a list of the queue holds each ticket that is linked here, and `remove` comes before it lets go. Not
    // `unowned(unsafe)`, which breaks an optional of this whole struct (Swift 6.3.1).
    private var first: Unmanaged<AdmissionTicket>?
    private var last: Unmanaged<AdmissionTicket>?

    init(peakWindow: Nanoseconds, now: Nanoseconds) {
        history = QueueHistory(peakWindow: peakWindow, now: now)
    }

    mutating func append(_ ticket: AdmissionTicket, now: Nanoseconds) {
        let previous = unsafe last?.takeUnretainedValue()
        unsafe ticket.previousOfShare = previous
        unsafe ticket.nextOfShare = nil
        if let previous { unsafe previous.nextOfShare = ticket } else { unsafe first = .passUnretained(ticket) }
        unsafe last = .passUnretained(ticket)
        count += 1
        advance(to: now)
    }

    mutating func remove(_ ticket: AdmissionTicket, now: Nanoseconds) {
        let next = unsafe ticket.nextOfShare
        let previous = unsafe ticket.previousOfShare
        if let previous {
            unsafe previous.nextOfShare = next
        } else {
            unsafe first = next.map { unsafe .passUnretained($0) }
        }
        if let next {
            unsafe next.previousOfShare = previous
        } else {
            unsafe last = previous.map { unsafe .passUnretained($0) }
        }
        unsafe ticket.nextOfShare = nil
        unsafe ticket.previousOfShare = nil
        count -= 1
        advance(to: now)
    }

    /// Brings the history up to `now`, from where on there are as many as there are.
    mutating func advance(to now: Nanoseconds) { history.record(length: count, at: now) }

    func oldestAge(now: Nanoseconds) -> Nanoseconds {
        guard let first = unsafe first?.takeUnretainedValue() else { return 0 }
        return now - min(now, first.enqueuedAt)
    }
}
