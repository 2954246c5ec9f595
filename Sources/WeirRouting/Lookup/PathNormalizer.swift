// SPDX-License-Identifier: Apache-2.0
// The one place where percent escapes and dot segments of a request's path are resolved.

/// Brings a request's path to the one form that routes are compared with. See ``RouteTable`` for the rules.
enum PathNormalizer {
    enum Outcome {
        /// The path is normal as it came: use its own bytes.
        case unchanged
        /// The first `count` bytes of the scratch memory are the normalized path.
        case rewritten(count: Int)
        case fault(PathFault)
    }

    /// - Parameter scratch: at least as long as the path; written only if the path has to change.
    /// - Complexity: O(bytes), without allocation.
    static func normalize(_ path: Span<UInt8>, into scratch: inout MutableSpan<UInt8>) -> Outcome {
        guard path.count > 0, path[0] == slash else { return .fault(.notAbsolute) }
        if isNormal(path) { return .unchanged }
        return rewrite(path, &scratch)
    }

    /// Whether there is surely nothing to decode, remove or refuse: no `%`, no `/.`, no control byte, no backslash.
    /// False only sends the path the slow way, which looks exactly.
    private static func isNormal(_ path: Span<UInt8>) -> Bool {
        let count = path.count
        if count < 8 {
            return suspicion(ByteWord.load(short: path, filler: UInt8(ascii: "a")), isAfterSlash: false) == 0
        }
        var found: UInt64 = 0
        var isAfterSlash = false
        var index = 0
        while index &+ 8 <= count {
            let word = ByteWord.load(path, at: index)
            found |= suspicion(word, isAfterSlash: isAfterSlash)
            isAfterSlash = UInt8(truncatingIfNeeded: word &>> 56) == slash
            index &+= 8
        }
        // The last word overlaps the one before, so that it holds every pair of bytes that is left.
        if index < count { found |= suspicion(ByteWord.load(path, at: count &- 8), isAfterSlash: false) }
        return found == 0
    }

    /// Not 0 if one of the eight bytes needs a closer look.
    @inline(always)
    private static func suspicion(_ word: UInt64, isAfterSlash: Bool) -> UInt64 {
        let afterSlash = ByteWord.mask(of: word, equalTo: slash) &<< 8 | (isAfterSlash ? 0x80 : 0)
        return ByteWord.mask(of: word, equalTo: dot) & afterSlash
            | ByteWord.mask(of: word, equalTo: UInt8(ascii: "%"))
            | ByteWord.mask(of: word, equalTo: backslash)
            | ByteWord.mask(of: word, equalTo: 0x7F)
            | ByteWord.mask(of: word, below: 0x20)
    }

    /// Decodes every escape once and removes dot segments (RFC 3986, 5.2.4) as they are completed, in one pass.
    ///
    /// Decoding comes first, byte by byte, so `%2e%2E` is a dot segment; what was decoded is never read again, so
    /// `%252e` stays the three characters `%2e`. Output never passes input: writing cannot leave the scratch.
    private static func rewrite(_ path: Span<UInt8>, _ scratch: inout MutableSpan<UInt8>) -> Outcome {
        let count = path.count
        precondition(scratch.count >= count, "the scratch memory is shorter than the path")
        scratch[0] = slash
        var written = 1
        var segmentStart = 1  // in the output; the byte before it is always a slash
        var index = 1
        while index < count {
            var next = path[index]
            index &+= 1
            if next == slash {
                let segment = dotSegment(scratch, segmentStart, written)
                if segment == .none {
                    scratch[written] = slash
                    written &+= 1
                    segmentStart = written
                } else {
                    guard removeDots(segment, &segmentStart, scratch) else { return .fault(.aboveRoot) }
                    written = segmentStart
                }
                continue
            }
            if next == UInt8(ascii: "%") {
                guard index &+ 2 <= count, let high = ASCII.hexValue(path[index]),
                    let low = ASCII.hexValue(path[index &+ 1])
                else { return .fault(.invalidEscape) }
                next = high &<< 4 | low
                index &+= 2
                if next == slash { return .fault(.encodedSlash) }
            }
            if next == backslash { return .fault(.backslash) }
            if next < 0x20 || next == 0x7F { return .fault(.controlByte) }
            scratch[written] = next
            written &+= 1
        }
        let segment = dotSegment(scratch, segmentStart, written)
        if segment != .none {
            guard removeDots(segment, &segmentStart, scratch) else { return .fault(.aboveRoot) }
            written = segmentStart
        }
        return .rewritten(count: written)
    }

    private enum DotSegment {
        case none, current, parent
    }

    @inline(always)
    private static func dotSegment(_ scratch: borrowing MutableSpan<UInt8>, _ start: Int, _ end: Int) -> DotSegment {
        switch end &- start {
        case 1: scratch[start] == dot ? .current : .none
        case 2: scratch[start] == dot && scratch[start &+ 1] == dot ? .parent : .none
        default: .none
        }
    }

    /// Moves the start of the segment that is being written back over a dot segment and what it removes.
    /// Each byte is gone over at most once, as it is removed.
    ///
    /// - Returns: false if the path leads above the root.
    private static func removeDots(
        _ segment: DotSegment,
        _ segmentStart: inout Int,
        _ scratch: borrowing MutableSpan<UInt8>
    ) -> Bool {
        if segment == .current { return true }
        if segmentStart == 1 { return false }
        segmentStart &-= 1  // now at the slash after the segment to remove
        while scratch[segmentStart &- 1] != slash { segmentStart &-= 1 }
        return true
    }

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")
    private static let backslash = UInt8(ascii: "\\")
}
