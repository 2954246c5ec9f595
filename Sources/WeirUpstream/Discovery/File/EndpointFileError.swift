// SPDX-License-Identifier: Apache-2.0
// Why a file of endpoints cannot be used: what, on which line, and what would be right.

/// A fault of a file of endpoints.
package enum EndpointFileError: Error, Equatable, CustomStringConvertible, Sendable {
    case unreadable(reason: String)
    case tooLarge(bytesMax: Int)
    case notUTF8(line: Int)
    case tooManyLines(line: Int, countMax: Int)
    case endpoint(line: Int, EndpointURLError)
    case duplicate(line: Int, url: String, firstLine: Int)
    /// What JSON should have there.
    case json(line: Int, expected: String)
    case unknownKey(line: Int, key: String)

    /// The fault in one line without control characters.
    package var description: String {
        switch self {
        case .unreadable(let reason): "it cannot be read: \(reason)"
        case .tooLarge(let bytesMax): "the file has more than \(bytesMax) bytes"
        case .notUTF8(let line): "line \(line) is not UTF-8"
        case .tooManyLines(let line, let countMax):
            "line \(line) is beyond the \(countMax) endpoints that a file may have"
        case .endpoint(let line, let fault): "line \(line): \(fault)"
        case .duplicate(let line, let url, let firstLine):
            "line \(line): \(url) is listed already, on line \(firstLine); remove one"
        case .json(let line, let expected): "line \(line): \(expected)"
        case .unknownKey(let line, let key):
            "line \(line): an endpoint has no \"\(key)\"; it has url, weight, zone and tags"
        }
    }
}
