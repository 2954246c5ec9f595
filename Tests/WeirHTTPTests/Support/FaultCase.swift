// SPDX-License-Identifier: Apache-2.0
// A message that must be refused, with the place of the fault marked in it.

import Testing
import WeirHTTP

/// One row of a table of faults.
struct FaultCase: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let fault: RequestFault

    /// `^` stands before the byte that breaks the rule and is not part of the message; `\u{1}` … are bytes as such.
    init(_ kind: RequestFault.Kind, _ marked: String) {
        var bytes = Array(marked.utf8)
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "^")) else {
            preconditionFailure("no mark in \(marked)")
        }
        bytes.remove(at: mark)
        self.bytes = bytes
        fault = RequestFault(kind, at: mark)
    }

    var testDescription: String { "\(fault.kind): \(String(decoding: bytes, as: UTF8.self).debugDescription)" }

    /// A request with Host and these lines.
    static func fields(_ kind: RequestFault.Kind, _ marked: String) -> FaultCase {
        FaultCase(kind, "POST /a HTTP/1.1\r\nHost: h\r\n\(marked)\r\n\r\n")
    }
}
