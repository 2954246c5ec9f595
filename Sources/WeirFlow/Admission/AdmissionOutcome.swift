// SPDX-License-Identifier: Apache-2.0
// What a pool answers to `enter` and `cancel`.

package enum AdmissionOutcome: Sendable {
    /// It holds a slot: `leave` must follow, once. The ticket was not used.
    case admitted
    /// It waits. Whoever was displaced for it is to be sent a message.
    case queued(displaced: AdmissionTicket?)
    /// The ticket was not used. The client may try again after so many seconds.
    case refused(AdmissionRefusal, retryAfterSeconds: Int)
}

package enum AdmissionRefusal: Sendable {
    /// As many wait as may, and all would be served sooner.
    case queueFull
    /// It would wait longer than its deadline allows.
    case deadlineUnmeetable
    /// It came too late.
    case deadlineExceeded
}

package enum AdmissionCancellation: Sendable {
    /// It is out of the queue; no message will come, and the ticket is idle.
    case removed
    /// A message is under way, which is to be ignored (`reclaim` answers `abandoned`). If the ticket had been given a
    /// slot, that was passed on to `wake`, which is to be sent a message, or given back.
    case abandoned(wake: AdmissionTicket?)
}
