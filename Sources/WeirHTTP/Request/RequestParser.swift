// SPDX-License-Identifier: Apache-2.0
// Request heads from bytes, HTTP/1.x (RFC 9112). Pure: no I/O, no clock, and no allocation after `init`.

/// Reads one request head at a time, however its bytes arrive.
///
/// Strict: what two parsers could read differently is refused, see `RequestFault.Kind`. The outcome does not depend
/// on how the bytes were split. A line is looked at when it is whole, so its faults show when its LF has come; only
/// limits strike earlier.
///
/// One parser serves any number of connections that deliver whole heads; a connection with an unfinished head needs
/// one of its own, or starts over. Its table costs 20 bytes for each of `headerFieldsMax` fields.
@usableFromInline
package struct RequestParser: ~Copyable {
    /// What was found so far; meaningful after `.complete`.
    package internal(set) var head = RequestHead()
    /// The fields that were found so far.
    @usableFromInline package internal(set) var fields: FieldSection

    private var stage = Stage.requestLine(afterEmptyLine: false)

    private enum Stage {
        case requestLine(afterEmptyLine: Bool)
        case fields
        case finished(ParseOutcome)
    }

    /// Allocates the field table, which lives as long as the parser. A field called `deadlineName` is known as
    /// `HeaderName.deadline`.
    package init(limits: HTTPLimits = HTTPLimits(), deadlineName: ChosenName? = nil) {
        fields = FieldSection(limits: limits, deadlineName: deadlineName)
    }

    /// Makes ready for the next message. Cheap: the table keeps its old contents.
    package mutating func reset() {
        head = RequestHead()
        fields.reset()
        stage = .requestLine(afterEmptyLine: false)
    }

    /// Looks at what has come of a head.
    ///
    /// `bytes` is everything received of this message so far, from its first byte, and may go on behind the head.
    /// After `.incomplete` call again with the same bytes and more (they may have moved). After any other outcome a
    /// further call says the same again until `reset`.
    ///
    /// - Complexity: linear in the bytes of the head over all calls. Does
    ///   not allocate.
    package mutating func parse(_ bytes: Span<UInt8>) -> ParseOutcome {
        if case .finished(let outcome) = stage { return outcome }
        precondition(bytes.count >= fields.searchedCount, "fewer bytes than in the call before")
        let outcome = advance(bytes)
        if outcome != .incomplete { stage = .finished(outcome) }
        return outcome
    }

    private mutating func advance(_ bytes: Span<UInt8>) -> ParseOutcome {
        while case .requestLine(let afterEmptyLine) = stage {
            let lineStart = fields.lineStart
            let limit = lineStart &+ fields.limits.requestLineBytesMax
            let lineFeed = fields.nextLineFeed(bytes, before: limit)
            if lineFeed < 0 {
                return fields.searchedCount < limit ? .incomplete : invalid(.requestLineTooLong, at: limit)
            }
            let end = lineFeed &- 1
            guard end >= lineStart, bytes[end] == ByteScan.carriageReturn else {
                return invalid(.bareLineFeed, at: lineFeed)
            }
            if end == lineStart {
                // RFC 9112 section 2.2: ignore at least one; old clients send one behind a body.
                if afterEmptyLine { return invalid(.emptyRequestLine, at: lineStart) }
                stage = .requestLine(afterEmptyLine: true)
            } else {
                if let fault = parseRequestLine(bytes, from: lineStart, to: end) { return .invalid(fault) }
                stage = .fields
                fields.start = lineFeed &+ 1
            }
            fields.lineStart = lineFeed &+ 1
        }
        return advanceFields(bytes)
    }

    private mutating func advanceFields(_ bytes: Span<UInt8>) -> ParseOutcome {
        while true {
            switch fields.next(bytes) {
            case .field(let name, let isRepeated):
                if let fault = note(name, in: bytes, isRepeated: isRepeated) { return .invalid(fault) }
            case .end(let end): return finish(endingAt: end)
            case .incomplete: return .incomplete
            case .invalid(let fault): return .invalid(fault)
            }
        }
    }

    private func invalid(_ kind: RequestFault.Kind, at offset: Int) -> ParseOutcome {
        .invalid(RequestFault(kind, at: offset))
    }
}
