// SPDX-License-Identifier: Apache-2.0
// Searches and comparisons on received bytes. All of the parser's unsafe memory access is in this file.

internal import Glibc

/// Byte constants and scans; every access is inside the span that it is given.
enum ByteScan {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let semicolon = UInt8(ascii: ";")

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let caseBits: UInt64 = 0x2020_2020_2020_2020

    /// The offset of the first line feed in `lower..<upper`, or -1.
    ///
    /// `memchr` takes 0.12 instructions per byte where a Swift loop takes 5.
    @inline(__always)
    static func firstLineFeed(in bytes: Span<UInt8>, from lower: Int, to upper: Int) -> Int {
        precondition(lower >= 0 && upper <= bytes.count)
        guard lower < upper else { return -1 }
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            // The pointer is not null because the range, and so the span, is not empty; it stays inside by the precondition.
            guard let base = buffer.baseAddress else { return -1 }
            guard let hit = unsafe memchr(base + lower, Int32(lineFeed), upper &- lower) else { return -1 }
            return unsafe UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        }
    }

    /// The offset of the first byte in `lower..<upper` that a field value may not hold, or `upper`.
    @inline(__always)
    static func firstControl(in bytes: Span<UInt8>, from lower: Int, to upper: Int) -> Int {
        var index = lower
        while index &+ 8 <= upper {
            // Eight bytes at a time, 1.5 instructions per byte. A tab is rare enough to be left to the table.
            if mayHoldControl(word(bytes, index)) {
                let end = index &+ 8
                while index < end {
                    if !ByteClass.contains(ByteClass.fieldValue, bytes[index]) { return index }
                    index &+= 1
                }
            } else {
                index &+= 8
            }
        }
        // The rest, by a last word that overlaps what was already looked at.
        if index < upper, upper &- lower >= 8, !mayHoldControl(word(bytes, upper &- 8)) { return upper }
        while index < upper {
            if !ByteClass.contains(ByteClass.fieldValue, bytes[index]) { return index }
            index &+= 1
        }
        return upper
    }

    /// Whether a byte of the word is below 0x20 or is 0x7F. Exact as a whole, not per byte.
    @inline(__always)
    private static func mayHoldControl(_ word: UInt64) -> Bool {
        let belowSpace = (word &- caseBits) & ~word
        let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
        return (belowSpace | ((delete &- ones) & ~delete)) & highBits != 0
    }

    /// Whether the token at `start` with `count` bytes is `literal`, in any case.
    ///
    /// `literal` is lower-case letters, digits and hyphens. Setting bit 5 folds case, and maps no other byte of a
    /// *valid token* to one of these; a byte that is not a tchar might (CR becomes a hyphen), so check first.
    @inline(__always)
    static func tokenMatches(_ bytes: Span<UInt8>, _ start: Int, _ count: Int, _ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        // A StaticString's bytes live as long as the process; every load stays below `count`, its length.
        // With a constant literal the compiler folds its side of each comparison into an immediate.
        let target = unsafe UnsafeRawBufferPointer(start: literal.utf8Start, count: count)
        if count >= 8 {
            var index = 0
            while index &+ 8 < count {
                let expected = unsafe target.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                if word(bytes, start &+ index) | caseBits != expected { return false }
                index &+= 8
            }
            let expected = unsafe target.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            return word(bytes, start &+ count &- 8) | caseBits == expected
        }
        var index = 0
        while index < count {
            if unsafe bytes[start &+ index] | 0x20 != target[index] { return false }
            index &+= 1
        }
        return true
    }

    /// As above, where `_` counts as `-`. For the rare name that is not known: byte by byte, most end at the first.
    static func tokenMatches(
        _ bytes: Span<UInt8>,
        _ start: Int,
        _ count: Int,
        withUnderscores literal: StaticString
    ) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        var index = 0
        while index < count {
            let byte = bytes[start &+ index]
            let read = byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte | 0x20
            // A StaticString's bytes live as long as the process, and the index stays below its length.
            if unsafe read != literal.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }

    /// Whether two runs of bytes are equal, ASCII letters in any case.
    static func equalIgnoringCase(
        _ bytes: Span<UInt8>,
        _ range: ByteRange,
        _ other: Span<UInt8>,
        _ otherRange: ByteRange
    ) -> Bool {
        guard range.count == otherRange.count else { return false }
        var index = 0
        while index < Int(range.count) {
            let left = lowercase(bytes[Int(range.start) &+ index])
            let right = lowercase(other[Int(otherRange.start) &+ index])
            if left != right { return false }
            index &+= 1
        }
        return true
    }

    @inline(__always)
    static func lowercase(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Eight bytes at `offset`, first byte lowest in memory; bounds-checked.
    @inline(__always)
    static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        // Any eight bytes are a UInt64, and the span checks the bounds.
        unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}
