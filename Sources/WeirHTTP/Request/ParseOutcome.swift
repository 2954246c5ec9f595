// SPDX-License-Identifier: Apache-2.0
// What one call of the parser says.

/// The result of looking at a request's head.
package enum ParseOutcome: Equatable, Sendable {
    /// The head is over; `RequestParser.head` and the fields are valid.
    case complete
    /// Good so far: call again when there is more.
    case incomplete
    /// Refused, for good: answer with the fault's status and close the connection.
    case invalid(RequestFault)
}
