// SPDX-License-Identifier: Apache-2.0
// What one call of the response parser says.

/// The result of looking at a response's head.
package enum ResponseOutcome: Equatable, Sendable {
    /// The head is over; `ResponseParser.head` and the fields are valid.
    case complete
    /// Good so far: call again when there is more.
    case incomplete
    /// Refused, for good: pass on nothing of it and close the connection.
    case invalid(ResponseFault)
}
