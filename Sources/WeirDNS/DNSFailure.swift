// SPDX-License-Identifier: Apache-2.0
// Why a name could not be looked up, for people: what a provider reports.

import CCares

/// What came instead of an answer.
package enum DNSFailure: Error, Equatable, CustomStringConvertible, Sendable {
    /// The servers say that there is no such name.
    case notFound(name: String)
    /// The name has no record of the kind that was asked for.
    case noRecord(name: String)
    /// No server has answered in time, or all refuse or fail to: c-ares does not say which.
    case noServer(name: String)
    /// An answer that is none: what c-ares says of it.
    case failed(name: String, reason: String)

    /// Whether the servers have answered, and said no.
    package var isNegative: Bool {
        switch self {
        case .notFound, .noRecord: true
        case .noServer, .failed: false
        }
    }

    package var description: String {
        switch self {
        case .notFound(let name): "\(name): the name does not exist"
        case .noRecord(let name): "\(name): the name has no record of this kind"
        case .noServer(let name): "\(name): no name server has an answer"
        case .failed(let name, let reason): "\(name): \(reason)"
        }
    }

    init(_ status: Int32, _ name: String) {
        switch status {
        case cares_not_found: self = .notFound(name: name)
        case cares_no_data: self = .noRecord(name: name)
        case cares_timed_out, cares_refused: self = .noServer(name: name)
        // c-ares puts search domains behind a final dot as well, once a name was not found.
        case cares_bad_name where name.hasSuffix("."): self = .notFound(name: name)
        default: self = .failed(name: name, reason: String(cString: ares_strerror(status)))
        }
    }
}
