// SPDX-License-Identifier: Apache-2.0
// Why a response is refused: one case per rule, so that logs, metrics and tests can tell them apart.

/// A broken rule and where it was broken. A gateway answers 502 and closes the connection that the response came over.
package struct ResponseFault: Equatable, Sendable {
    package let kind: Kind
    /// The byte that broke the rule, counted as in `RequestFault`.
    package let offset: UInt32

    package init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = UInt32(clamping: offset)
    }

    /// A broken rule of those that requests and responses share; also for what `ChunkedDecoder` says of a response.
    package init(_ fault: RequestFault) {
        kind = .common(fault.kind)
        offset = fault.offset
    }

    /// Nobody has asked for it: no byte of it is at fault.
    package static var unasked: ResponseFault { ResponseFault(.unasked, at: 0) }

    /// The rule.
    package enum Kind: Equatable, Sendable {
        // Status line (RFC 9112 section 4)
        case statusLineTooLong
        case statusLineMalformed
        case statusOutOfRange
        case reasonInvalid

        // What does not go with the status (RFC 9110 sections 8.6 and 15, RFC 9112 section 6.1)
        case lengthNotAllowed
        case codingNotAllowed
        case upgradeMissing

        // What does not go with the request, as far as its sender can tell (RFC 9112 section 9.2)
        case unasked

        // Versions, line ends, fields, framing, chunked coding
        case common(RequestFault.Kind)
    }
}

extension ResponseFault {
    /// One clause, for the log.
    package var reason: StaticString {
        switch kind {
        case .statusLineTooLong: "the status line is longer than the limit"
        case .statusLineMalformed: "the status line is not version, space, three digits, space, reason"
        case .statusOutOfRange: "the status is not within 100 to 599"
        case .reasonInvalid: "the reason phrase holds a control byte"
        case .lengthNotAllowed: "Content-Length other than 0 in a 1xx or 204 response"
        case .codingNotAllowed: "Transfer-Encoding in a 1xx or 204 response"
        case .upgradeMissing: "101 without an Upgrade field that Connection lists"
        case .unasked: "a response that no request has asked for"
        case .common(let kind): kind.reason
        }
    }
}
