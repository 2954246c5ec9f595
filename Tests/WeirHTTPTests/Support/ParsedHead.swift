// SPDX-License-Identifier: Apache-2.0
// Everything that a parser says about a head, as a value that tests compare and print; and ways to feed the parser.

import WeirHTTP

struct ParsedHead: Equatable, CustomStringConvertible {
    var outcome = ParseOutcome.incomplete
    /// Every number of the head and of its fields; compared between ways of feeding.
    var details = ""
    /// The head in words; compared with what a test expects.
    var summary = ""
    var fields: [String] = []
    /// How many bytes had come when the outcome was known.
    var knownAt = 0

    var description: String { "\(outcome) at \(knownAt): \(details)" }

    static func == (left: ParsedHead, right: ParsedHead) -> Bool {
        left.outcome == right.outcome && left.details == right.details && left.fields == right.fields
    }
}

/// Parses the prefixes of `bytes` with these lengths, then all of it; each from memory of its own, as if it had moved.
func parseHead(_ bytes: [UInt8], prefixes: [Int] = [], limits: HTTPLimits = HTTPLimits()) -> ParsedHead {
    var parser = RequestParser(limits: limits)
    var result = ParsedHead()
    for count in prefixes + [bytes.count] {
        let prefix = Array(bytes[..<count])
        result.outcome = parser.parse(prefix.span)
        result.knownAt = count
        if result.outcome != .incomplete { break }
    }
    guard result.outcome == .complete else { return result }
    describe(parser, bytes, into: &result)
    return result
}

/// Parses `bytes` byte by byte without copying: for inputs where copies of every prefix are too much.
func parseByteByByte(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits()) -> ParsedHead {
    var parser = RequestParser(limits: limits)
    var result = ParsedHead()
    while result.outcome == .incomplete, result.knownAt < bytes.count {
        result.knownAt += 1
        result.outcome = parser.parse(bytes.span.extracting(0..<result.knownAt))
    }
    guard result.outcome == .complete else { return result }
    describe(parser, bytes, into: &result)
    return result
}

/// The first way of feeding, of all splits in two and byte by byte, whose result is another than `expected`.
func firstSplitThatDiffers(_ bytes: [UInt8], from expected: ParsedHead, limits: HTTPLimits = HTTPLimits()) -> String? {
    for split in 0...bytes.count {
        let result = parseHead(bytes, prefixes: [split], limits: limits)
        if result != expected { return "split at \(split): \(result), whole: \(expected)" }
    }
    let result = parseByteByByte(bytes, limits: limits)
    return result == expected ? nil : "byte by byte: \(result), whole: \(expected)"
}

func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
    String(decoding: bytes[range.bounds], as: UTF8.self)
}

private func describe(_ parser: borrowing RequestParser, _ bytes: [UInt8], into result: inout ParsedHead) {
    let head = parser.head
    result.details = "\(head)"
    for index in 0..<parser.fieldCount {
        let field = parser.field(index)
        result.details += " \(field)"
        result.fields.append("\(text(bytes, field.name))=\(text(bytes, field.value))")
    }
    var words = ["\(head.method)", "\(head.form)", "1.\(head.minorVersion)"]
    if let scheme = head.scheme { words.append("\(scheme)") }
    words.append("path=\(text(bytes, head.path))")
    if let query = head.query { words.append("query=\(text(bytes, query))") }
    words.append("host=\(text(bytes, head.authority))")
    switch head.framing {
    case .none: break
    case .length(let count): words.append("length=\(count)")
    case .chunked: words.append("chunked")
    }
    if head.keepsAlive { words.append("keeps") }
    if head.expectsContinue { words.append("continue") }
    if head.hasUpgrade { words.append("upgrade") }
    result.summary = words.joined(separator: " ")
}
