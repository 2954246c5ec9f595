// SPDX-License-Identifier: Apache-2.0
// The end from which a queue is served.

/// Who of a class is served next.
package enum QueueOrder: String, Sendable {
    /// Whoever came first.
    case arrival
    /// Whoever came last: its clients give up (`GiveUpShare`).
    case newest
}
