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
@safe
package struct RequestParser: ~Copyable {
    /// What was found so far; meaningful after `.complete`.
    package internal(set) var head = RequestHead()
    /// How many fields were found so far.
    package internal(set) var fieldCount = 0

    let limits: HTTPLimits
    /// `limits.headerFieldsMax` slots, owned; the first `fieldCount` belong to this head.
    let fields: UnsafeMutablePointer<HeaderField>

    var stage = Stage.requestLine(afterEmptyLine: false)
    /// Where the first line that is not finished begins.
    var lineStart = 0
    /// Up to here there is no LF behind `lineStart`: each byte is searched once.
    var searchedCount = 0
    /// Where the field lines begin.
    var sectionStart = 0
    /// One bit for each `HeaderName` that was seen.
    var seen: UInt64 = 0
    var connection = ConnectionOptions()

    enum Stage {
        case requestLine(afterEmptyLine: Bool)
        case fields
        case finished(ParseOutcome)
    }

    /// Allocates the field table, which lives as long as the parser.
    package init(limits: HTTPLimits = HTTPLimits()) {
        limits.check()
        self.limits = limits
        unsafe fields = .allocate(capacity: limits.headerFieldsMax)
        let unused = HeaderField(name: .empty, value: .empty, known: .other)
        unsafe fields.initialize(repeating: unused, count: limits.headerFieldsMax)
    }

    deinit {
        // Allocated in `init`, never handed out; `HeaderField` is trivial.
        unsafe fields.deallocate()
    }

    /// Makes ready for the next message. Cheap: the table keeps its old contents.
    package mutating func reset() {
        head = RequestHead()
        fieldCount = 0
        stage = .requestLine(afterEmptyLine: false)
        lineStart = 0
        searchedCount = 0
        sectionStart = 0
        seen = 0
        connection = ConnectionOptions()
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
        precondition(bytes.count >= searchedCount, "fewer bytes than in the call before")
        let outcome = advance(bytes)
        if outcome != .incomplete { stage = .finished(outcome) }
        return outcome
    }

    private mutating func advance(_ bytes: Span<UInt8>) -> ParseOutcome {
        while case .requestLine(let afterEmptyLine) = stage {
            let limit = lineStart &+ limits.requestLineBytesMax
            let lineFeed = nextLineFeed(bytes, before: limit)
            if lineFeed < 0 { return searchedCount < limit ? .incomplete : invalid(.requestLineTooLong, at: limit) }
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
                sectionStart = lineFeed &+ 1
            }
            lineStart = lineFeed &+ 1
        }
        return advanceFields(bytes)
    }

    private mutating func advanceFields(_ bytes: Span<UInt8>) -> ParseOutcome {
        let limit = sectionStart &+ limits.headerBytesMax
        while true {
            let lineFeed = nextLineFeed(bytes, before: limit)
            if lineFeed < 0 { return searchedCount < limit ? .incomplete : invalid(.headerTooLarge, at: limit) }
            let end = lineFeed &- 1
            guard end >= lineStart, bytes[end] == ByteScan.carriageReturn else {
                return invalid(.bareLineFeed, at: lineFeed)
            }
            if end == lineStart { return finish(endingAt: lineFeed &+ 1) }
            guard fieldCount < limits.headerFieldsMax else { return invalid(.tooManyFields, at: lineStart) }
            switch FieldLine.parse(bytes, from: lineStart, to: end) {
            case .invalid(let fault):
                return .invalid(fault)
            case .field(let field):
                // The count was just seen to be below the capacity.
                unsafe fields[fieldCount] = field
                fieldCount &+= 1
                if let fault = note(field, in: bytes) { return .invalid(fault) }
            }
            lineStart = lineFeed &+ 1
        }
    }

    /// The offset of the LF that ends the line at `lineStart`, or -1 if there is none before `limit` yet.
    @inline(__always)
    private mutating func nextLineFeed(_ bytes: Span<UInt8>, before limit: Int) -> Int {
        let upper = bytes.count < limit ? bytes.count : limit
        let lineFeed = ByteScan.firstLineFeed(in: bytes, from: searchedCount, to: upper)
        searchedCount = lineFeed < 0 ? upper : lineFeed &+ 1
        return lineFeed
    }

    private func invalid(_ kind: RequestFault.Kind, at offset: Int) -> ParseOutcome {
        .invalid(RequestFault(kind, at: offset))
    }
}
