// SPDX-License-Identifier: Apache-2.0
// Why a server's answer did not come, for people: what a provider reports.

/// What came instead of an answer.
package enum FetchFault: Error, Equatable, CustomStringConvertible, Sendable {
    /// No connection came about.
    case unreachable
    /// The connection ended before the answer did.
    case lost
    /// Neither a connection nor the rest of an answer in time.
    case timedOut
    /// What came is no HTTP.
    case malformed
    /// The answer's body is larger than may be.
    case tooLarge(bytesMax: Int)

    package var description: String {
        switch self {
        case .unreachable: "no connection can be made"
        case .lost: "the connection was lost"
        case .timedOut: "it does not answer in time"
        case .malformed: "its answer is no HTTP"
        case .tooLarge(let bytesMax): "its answer is larger than \(bytesMax) bytes"
        }
    }
}
