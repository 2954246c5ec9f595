// SPDX-License-Identifier: Apache-2.0
// The chunked coding, read (RFC 9112 section 7.1). Pure; keeps a few numbers and no bytes.

/// Takes the framing off one chunked body, however its bytes arrive.
///
/// As strict as the head's parser, by the same rules for line ends, fields and limits. A fault, the body's bytes and
/// the trailers do not depend on how the bytes were split.
package struct ChunkedDecoder: Sendable {
    private let limits: HTTPLimits
    private var stage = Stage.size(afterData: false)
    /// Coded bytes read before the front of the next call's bytes; for fault offsets.
    private var consumedCount: UInt64 = 0
    /// Bytes at the front of the next call's that were searched and hold no end of the unfinished line.
    private var searchedCount = 0

    private enum Stage {
        /// A chunk-size line comes next, behind the CRLF that ends a chunk's data.
        case size(afterData: Bool)
        /// So many bytes of data are left in the chunk, at least one.
        case data(remaining: UInt64)
        /// Trailer lines, or the last empty line. The section stays unread until it is whole, so that its range is in
        /// one buffer; `lineStart` counts from its front.
        case trailers(lineStart: Int, fieldCount: Int)
        case ended
        case failed(RequestFault)
    }

    package init(limits: HTTPLimits = HTTPLimits()) {
        limits.check()
        self.limits = limits
    }

    /// Whether `.end` was answered.
    package var isEnded: Bool {
        if case .ended = stage { true } else { false }
    }

    /// Looks at the front of `bytes`, which is everything not yet read, and may go on behind the body.
    ///
    /// The caller drops what each answer calls read before the next call. After `.end` a further call answers `.end`
    /// with nothing read, after `.invalid` the same fault.
    ///
    /// - Complexity: linear in the framing over all calls, and constant in the data. Does not allocate.
    package mutating func next(_ bytes: Span<UInt8>) -> ChunkedStep {
        var position = 0
        while true {
            switch stage {
            case .size(let afterData):
                switch readSizeLine(bytes, from: position, afterData: afterData) {
                case .line(let size, let end):
                    position = end
                    stage = size == 0 ? .trailers(lineStart: 0, fieldCount: 0) : .data(remaining: size)
                case .unfinished:
                    return incomplete(consumed: position)
                case .invalid(let kind, let offset):
                    return invalid(kind, at: offset)
                }
            case .data(let remaining):
                let available = bytes.count &- position
                if available == 0 { return incomplete(consumed: position) }
                let count = Int(min(remaining, UInt64(available)))
                let rest = remaining &- UInt64(count)
                stage = rest == 0 ? .size(afterData: true) : .data(remaining: rest)
                consumedCount &+= UInt64(position &+ count)
                return .data(skip: position, count: count)
            case .trailers(let lineStart, let fieldCount):
                return readTrailers(bytes, from: position, lineStart: lineStart, fieldCount: fieldCount)
            case .ended:
                return .end(consumed: 0, trailers: .empty)
            case .failed(let fault):
                return .invalid(fault)
            }
        }
    }

    private enum SizeLine {
        case line(size: UInt64, end: Int)
        case unfinished
        case invalid(RequestFault.Kind, at: Int)
    }

    /// The chunk-size line at `start`, with the CRLF before it if a chunk's data came first.
    private mutating func readSizeLine(_ bytes: Span<UInt8>, from start: Int, afterData: Bool) -> SizeLine {
        var lineStart = start
        if afterData {
            // Refused at the first byte that is wrong; a body that lies about its size shows here.
            if start < bytes.count, bytes[start] != ByteScan.carriageReturn {
                return .invalid(.chunkDataUnterminated, at: start)
            }
            guard start &+ 1 < bytes.count else { return .unfinished }
            guard bytes[start &+ 1] == ByteScan.lineFeed else {
                return .invalid(.chunkDataUnterminated, at: start &+ 1)
            }
            lineStart = start &+ 2
        }
        let limit = lineStart &+ limits.chunkLineBytesMax
        let lineFeed = nextLineFeed(bytes, from: lineStart, front: start, before: limit)
        if lineFeed < 0 {
            return bytes.count < limit ? .unfinished : .invalid(.chunkLineTooLong, at: limit)
        }
        let end = lineFeed &- 1
        guard end >= lineStart, bytes[end] == ByteScan.carriageReturn else {
            return .invalid(.bareLineFeed, at: lineFeed)
        }
        switch ChunkLine.parse(bytes, from: lineStart, to: end) {
        case .size(let size): return .line(size: size, end: lineFeed &+ 1)
        case .invalid(let kind, let offset): return .invalid(kind, at: offset)
        }
    }

    private mutating func readTrailers(
        _ bytes: Span<UInt8>,
        from start: Int,
        lineStart first: Int,
        fieldCount firstCount: Int
    ) -> ChunkedStep {
        var lineStart = start &+ first
        var fieldCount = firstCount
        let limit = start &+ limits.trailerBytesMax
        while true {
            let lineFeed = nextLineFeed(bytes, from: lineStart, front: start, before: limit)
            if lineFeed < 0 {
                if bytes.count >= limit { return invalid(.trailerTooLarge, at: limit) }
                stage = .trailers(lineStart: lineStart &- start, fieldCount: fieldCount)
                return incomplete(consumed: start)
            }
            let end = lineFeed &- 1
            guard end >= lineStart, bytes[end] == ByteScan.carriageReturn else {
                return invalid(.bareLineFeed, at: lineFeed)
            }
            if end == lineStart {
                stage = .ended
                consumedCount &+= UInt64(lineFeed &+ 1)
                return .end(consumed: lineFeed &+ 1, trailers: ByteRange(start, lineStart))
            }
            guard fieldCount < limits.headerFieldsMax else { return invalid(.tooManyFields, at: lineStart) }
            switch FieldLine.parse(bytes, from: lineStart, to: end) {
            case .invalid(let fault):
                return invalid(fault.kind, at: Int(fault.offset))
            case .field(let field):
                if field.known.isForbiddenInTrailers { return invalid(.trailerForbidden, at: lineStart) }
            }
            fieldCount &+= 1
            lineStart = lineFeed &+ 1
        }
    }

    /// The LF of the line at `lineStart`, or -1 if there is none before `limit` yet. `front` is where the next call's
    /// bytes will begin if there is none.
    private mutating func nextLineFeed(
        _ bytes: Span<UInt8>,
        from lineStart: Int,
        front: Int,
        before limit: Int
    ) -> Int {
        let upper = min(bytes.count, limit)
        // What an earlier call searched lies at the front of this one's bytes, where nothing was read before it.
        let lower = max(lineStart, searchedCount)
        let lineFeed = ByteScan.firstLineFeed(in: bytes, from: lower, to: upper)
        searchedCount = lineFeed < 0 ? upper &- front : 0
        return lineFeed
    }

    private mutating func incomplete(consumed: Int) -> ChunkedStep {
        consumedCount &+= UInt64(consumed)
        return .incomplete(consumed: consumed)
    }

    private mutating func invalid(_ kind: RequestFault.Kind, at offset: Int) -> ChunkedStep {
        let fault = RequestFault(kind, at: Int(clamping: consumedCount &+ UInt64(offset)))
        stage = .failed(fault)
        return .invalid(fault)
    }
}
