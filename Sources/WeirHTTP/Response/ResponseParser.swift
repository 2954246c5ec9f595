// SPDX-License-Identifier: Apache-2.0
// Response heads from bytes, HTTP/1.x (RFC 9112). Pure: no I/O, no clock, and no allocation after `init`.

/// Reads one response head at a time, however its bytes arrive.
///
/// Strict as `RequestParser`: what two parsers could read differently is refused, see `ResponseFault.Kind`. Of what
/// servers get wrong only this is let through, because it can be read in one way: a status line that ends behind the
/// status without the space, and `Content-Length: 0` in a response that has no body anyway.
///
/// An interim response (`ResponseHead.isInterim`) is a head of its own: take its bytes off the front, `reset`, go on.
///
/// A connection with an unfinished head needs a parser of its own. Its table costs 20 bytes for each of
/// `headerFieldsMax` fields; the status line has the limit of a request line.
package struct ResponseParser: ~Copyable {
    /// What was found so far; meaningful after `.complete`.
    package internal(set) var head = ResponseHead()
    /// The fields that were found so far.
    package internal(set) var fields: FieldSection

    private var stage = Stage.statusLine

    private enum Stage {
        case statusLine
        case fields
        case finished(ResponseOutcome)
    }

    /// Allocates the field table, which lives as long as the parser.
    package init(limits: HTTPLimits = HTTPLimits()) {
        fields = FieldSection(limits: limits)
    }

    /// Makes ready for the next message. Cheap: the table keeps its old contents.
    package mutating func reset() {
        head = ResponseHead()
        fields.reset()
        stage = .statusLine
    }

    /// Whether the head has come to an end, good or bad; then `reset` comes before the next.
    package var isFinished: Bool {
        if case .finished = stage { true } else { false }
    }

    /// Looks at what has come of a head that answers a request with this method.
    ///
    /// `bytes` is everything received of this message so far, from its first byte, and may go on behind the head.
    /// After `.incomplete` call again with the same bytes and more (they may have moved). After any other outcome a
    /// further call says the same again until `reset`.
    ///
    /// - Complexity: linear in the bytes of the head over all calls. Does not allocate.
    package mutating func parse(_ bytes: Span<UInt8>, answering method: HTTPMethod) -> ResponseOutcome {
        if case .finished(let outcome) = stage { return outcome }
        precondition(bytes.count >= fields.searchedCount, "fewer bytes than in the call before")
        let outcome = advance(bytes, method)
        if outcome != .incomplete { stage = .finished(outcome) }
        return outcome
    }

    private mutating func advance(_ bytes: Span<UInt8>, _ method: HTTPMethod) -> ResponseOutcome {
        if case .statusLine = stage {
            let limit = fields.limits.requestLineBytesMax
            let lineFeed = fields.nextLineFeed(bytes, before: limit)
            if lineFeed < 0 {
                if fields.searchedCount < limit { return .incomplete }
                return .invalid(ResponseFault(.statusLineTooLong, at: limit))
            }
            let end = lineFeed &- 1
            guard end >= 0, bytes[end] == ByteScan.carriageReturn else {
                return .invalid(ResponseFault(.common(.bareLineFeed), at: lineFeed))
            }
            if let fault = parseStatusLine(bytes, to: end) { return .invalid(fault) }
            stage = .fields
            fields.start = lineFeed &+ 1
            fields.lineStart = lineFeed &+ 1
        }
        while true {
            switch fields.next(bytes) {
            case .field(let name, let isRepeated):
                if let fault = note(name, in: bytes, isRepeated: isRepeated) { return .invalid(fault) }
            case .end(let end): return finish(endingAt: end, method)
            case .incomplete: return .incomplete
            case .invalid(let fault): return .invalid(ResponseFault(fault))
            }
        }
    }
}
