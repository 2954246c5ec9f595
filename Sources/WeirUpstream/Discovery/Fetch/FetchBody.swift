// SPDX-License-Identifier: Apache-2.0
// One answer as its bytes come: head, then body. Pure.

import WeirHTTP

/// Takes the bytes of one response, whole or in pieces.
struct FetchBody: ~Copyable {
    enum Step {
        /// More has to come.
        case incomplete
        case complete(keepsConnection: Bool)
        case failed(FetchFault)
    }

    private enum Input {
        case head
        case length(UInt64)
        case chunked
        case untilClose
    }

    private let field: StaticString
    private let bytesMax: Int
    private let isStream: Bool
    private var parser = ResponseParser()
    private var decoder = ChunkedDecoder()
    private var input = Input.head
    private(set) var status = 0
    /// The value of the field that was asked for.
    private(set) var value: String?
    private(set) var bytes: [UInt8] = []
    private var lines: FetchLines

    /// - Parameters:
    ///   - field: the header field whose value is kept.
    ///   - bytesMax: the longest body, or the longest line of one that streams.
    ///   - isStream: whether a body with status 200 is given line by line, by `nextLine`, and not kept.
    init(field: StaticString, bytesMax: Int, isStream: Bool = false) {
        self.field = field
        self.bytesMax = bytesMax
        self.isStream = isStream
        lines = FetchLines(bytesMax: bytesMax)
    }

    /// Whether the head has come of an answer whose lines are to be taken.
    var streams: Bool { isStream && status == Self.statusOK }

    /// The next line of an answer that streams; nil until there is one. To be taken after each `take`.
    mutating func nextLine() -> [UInt8]? { lines.next() }

    /// Whether the line that is on its way is longer than may be.
    var hasLongLine: Bool { lines.isTooLong }

    private static let statusOK = 200

    /// Works off the front of `span`; what is not taken is given again, in front of what comes.
    mutating func take(_ span: Span<UInt8>) -> (taken: Int, Step) {
        var taken = 0
        while true {
            let rest = span.extracting(taken..<span.count)
            switch input {
            case .head:
                let (count, step) = takeHead(rest)
                taken += count
                if let step { return (taken, step) }
            case .length(let remaining):
                let count = Int(min(remaining, UInt64(rest.count)))
                taken += count
                if let fault = append(rest, 0..<count) { return (taken, .failed(fault)) }
                input = .length(remaining - UInt64(count))
                if remaining == UInt64(count) { return (taken, complete(isLast: taken < span.count)) }
                return (taken, .incomplete)
            case .chunked:
                switch decoder.next(rest) {
                case .data(let skip, let count):
                    taken += skip + count
                    if let fault = append(rest, skip..<(skip + count)) { return (taken, .failed(fault)) }
                case .incomplete(let consumed): return (taken + consumed, .incomplete)
                case .end(let consumed, _): return (taken + consumed, complete(isLast: taken + consumed < span.count))
                case .invalid: return (taken, .failed(.malformed))
                }
            case .untilClose:
                if let fault = append(rest, 0..<rest.count) { return (span.count, .failed(fault)) }
                return (span.count, .incomplete)
            }
        }
    }

    /// Whether the answer is whole where the connection ends now.
    var endsWithConnection: Bool {
        if case .untilClose = input { true } else { false }
    }

    /// Reads a head; a step where nothing can follow it for now.
    private mutating func takeHead(_ span: Span<UInt8>) -> (taken: Int, Step?) {
        switch parser.parse(span, answering: .get) {
        case .incomplete: return (0, .incomplete)
        case .invalid: return (0, .failed(.malformed))
        case .complete: break
        }
        let head = parser.head
        let count = Int(head.byteCount)
        if head.isInterim {
            parser.reset()
            return (count, nil)
        }
        status = head.status
        value = parser.fields.first(named: field, in: span).flatMap { found in
            String(validating: Array(span: span.extracting(found.value.bounds)), as: UTF8.self)
        }
        switch head.framing {
        case .none, .length(0): return (count, complete(isLast: count < span.count))
        case .length(let length) where length > UInt64(bytesMax) && !streams:
            return (count, .failed(.tooLarge(bytesMax: bytesMax)))
        case .length(let length): input = .length(length)
        case .chunked: input = .chunked
        case .untilClose: input = .untilClose
        case .tunnel: return (count, .failed(.malformed))
        }
        return (count, nil)
    }

    private mutating func append(_ span: Span<UInt8>, _ range: Range<Int>) -> FetchFault? {
        let piece = Array(span: span.extracting(range))
        guard !streams else {
            lines.append(piece)
            return nil
        }
        guard bytes.count + range.count <= bytesMax else { return .tooLarge(bytesMax: bytesMax) }
        bytes.append(contentsOf: piece)
        return nil
    }

    /// What follows an answer that nobody has asked for makes the connection useless.
    private func complete(isLast: Bool) -> Step { .complete(keepsConnection: !isLast && parser.head.keepsAlive) }
}

extension [UInt8] {
    fileprivate init(span: Span<UInt8>) {
        self = span.withUnsafeBufferPointer { Array($0) }
    }
}
