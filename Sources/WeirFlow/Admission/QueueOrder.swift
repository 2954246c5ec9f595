// SPDX-License-Identifier: Apache-2.0
// The end from which a queue is served.

/// Who of a class is served next.
package enum QueueOrder: String, Sendable {
    /// Whoever came first.
    case arrival
    /// Whoever came last: the queue stands (`AdmissionQueue.gaveUp`).
    case newest
}
