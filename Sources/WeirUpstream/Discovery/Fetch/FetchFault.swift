// SPDX-License-Identifier: Apache-2.0
// Why a server's answer did not come, for people: what a provider reports.

package import WeirTLS

/// What came instead of an answer.
package enum FetchFault: Error, Equatable, CustomStringConvertible, Sendable {
    /// No connection came about.
    case unreachable
    /// The server is not whom it should be, or no TLS could be agreed on.
    case tls(HandshakeFailure)
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
        case .tls(let failure): "no TLS (\(failure.fault.label)): \(failure.text)"
        case .lost: "the connection was lost"
        case .timedOut: "it does not answer in time"
        case .malformed: "its answer is no HTTP"
        case .tooLarge(let bytesMax): "its answer is larger than \(bytesMax) bytes"
        }
    }
}
