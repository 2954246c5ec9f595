// SPDX-License-Identifier: Apache-2.0
// Everything that the response parser says about a head, as a value that tests compare and print.

import WeirHTTP

struct ParsedResponse: Equatable, CustomStringConvertible {
    var outcome = ResponseOutcome.incomplete
    /// Every number of the head and of its fields; compared between ways of feeding.
    private var details = ""
    /// The head in words; compared with what a test expects.
    private(set) var summary = ""
    private(set) var fields: [String] = []
    /// How many bytes had come when the outcome was known.
    private(set) var knownAt = 0

    var description: String { "\(outcome) at \(knownAt): \(details)" }

    static func == (left: ParsedResponse, right: ParsedResponse) -> Bool {
        left.outcome == right.outcome && left.details == right.details && left.fields == right.fields
    }

    /// Parses the prefixes of `bytes` with these lengths, then all of it; each from memory of its own, as if it had
    /// moved.
    init(
        _ bytes: [UInt8],
        answering method: HTTPMethod = .get,
        prefixes: [Int] = [],
        limits: HTTPLimits = HTTPLimits()
    ) {
        var parser = ResponseParser(limits: limits)
        for count in prefixes + [bytes.count] where outcome == .incomplete {
            let prefix = Array(bytes[..<count])
            outcome = parser.parse(prefix.span, answering: method)
            knownAt = count
        }
        describe(parser, bytes)
    }

    /// Parses `bytes` byte by byte without copying.
    init(byteByByte bytes: [UInt8], answering method: HTTPMethod = .get, limits: HTTPLimits = HTTPLimits()) {
        var parser = ResponseParser(limits: limits)
        while outcome == .incomplete, knownAt < bytes.count {
            knownAt += 1
            outcome = parser.parse(bytes.span.extracting(0..<knownAt), answering: method)
        }
        describe(parser, bytes)
    }

    /// The first way of feeding, of all splits in two and byte by byte, that has another result than all at once.
    static func firstSplitThatDiffers(
        _ bytes: [UInt8],
        answering method: HTTPMethod = .get,
        limits: HTTPLimits = HTTPLimits()
    ) -> String? {
        let whole = ParsedResponse(bytes, answering: method, limits: limits)
        for split in 0...bytes.count {
            let result = ParsedResponse(bytes, answering: method, prefixes: [split], limits: limits)
            if result != whole { return "split at \(split): \(result), whole: \(whole)" }
        }
        let result = ParsedResponse(byteByByte: bytes, answering: method, limits: limits)
        return result == whole ? nil : "byte by byte: \(result), whole: \(whole)"
    }

    private mutating func describe(_ parser: borrowing ResponseParser, _ bytes: [UInt8]) {
        guard outcome == .complete else { return }
        let head = parser.head
        details = "\(head)"
        for index in 0..<parser.fields.count {
            let field = parser.fields.field(index)
            details += " \(field)"
            fields.append("\(text(bytes, field.name))=\(text(bytes, field.value))")
        }
        var words = ["\(head.status)", "1.\(head.minorVersion)"]
        if !head.reason.isEmpty { words.append("(\(text(bytes, head.reason)))") }
        if let length = head.contentLength { words.append("says=\(length)") }
        switch head.framing {
        case .none: break
        case .length(let count): words.append("length=\(count)")
        case .chunked: words.append("chunked")
        case .untilClose: words.append("untilClose")
        case .tunnel: words.append("tunnel")
        }
        if head.isInterim { words.append("interim") }
        if head.keepsAlive { words.append("keeps") }
        if head.hasUpgrade { words.append("upgrade") }
        summary = words.joined(separator: " ")
    }
}
