// SPDX-License-Identifier: Apache-2.0
// Response heads, written straight into the caller's output buffer.

/// Appends to a piece of memory that it does not own, and never writes behind its end.
///
/// A piece that does not fit is left out whole, `overflowed` turns true, and everything after it is left out too, so
/// that nobody sends a head with a hole. The caller then grows the buffer and writes again, or closes.
@safe
@usableFromInline
package struct HeadWriter: ~Copyable {
    // What every piece of a head goes through is inlined into other modules: a head has some forty pieces. Without
    // `@usableFromInline` on the type nothing is.
    @usableFromInline var written = 0
    @usableFromInline var isFull = false
    @usableFromInline let memory: UnsafeMutableRawBufferPointer

    /// - Safety: `memory` must be writable, and nobody else's, as long as the writer lives.
    @inlinable
    @unsafe
    package init(_ memory: UnsafeMutableRawBufferPointer) {
        unsafe self.memory = memory
    }

    /// Bytes written so far.
    @inlinable
    package var count: Int { written }

    /// Whether something did not fit.
    @inlinable
    package var overflowed: Bool { isFull }

    /// How many bytes still fit.
    @inlinable
    package var freeCount: Int { unsafe memory.count &- written }

    /// `HTTP/1.1 200 OK` CRLF. Traps outside 100 to 999.
    package mutating func statusLine(_ status: Int) {
        precondition((100...999).contains(status), "a status has three digits")
        let line = StatusLine.text(status)
        if line.utf8CodeUnitCount > 0 { return raw(line) }
        // RFC 9112 section 4: the reason may be empty, the space before it may not be missing.
        raw("HTTP/1.1 ")
        decimal(UInt64(status))
        raw(" \r\n")
    }

    /// A field that is written in the code, where its syntax is seen to be right.
    package mutating func field(_ name: StaticString, _ value: StaticString) {
        raw(name)
        raw(": ")
        raw(value)
        raw("\r\n")
    }

    package mutating func field(_ name: StaticString, integer value: UInt64) {
        raw(name)
        raw(": ")
        decimal(value)
        raw("\r\n")
    }

    /// The Content-Length field.
    package mutating func contentLength(_ byteCount: UInt64) {
        raw("Content-Length: ")
        if byteCount < 100, freeCount >= 4 {
            // Short bodies are the most frequent ones, and this is the only number in most heads.
            var line = UInt32(0x0A0D_0000)
            let tens = byteCount / 10
            line |= UInt32(truncatingIfNeeded: (byteCount &- tens &* 10) &+ 0x30) << 8
            line |= UInt32(truncatingIfNeeded: tens &+ 0x30)
            if tens == 0 { line >>= 8 }
            store(line.littleEndian, byteCount: tens == 0 ? 3 : 4)
        } else {
            decimal(byteCount)
            raw("\r\n")
        }
    }

    /// The rest of a response whose head is `prefix`, the body's length, and an empty line: all in one step, for the
    /// shape that most responses have. `prefix` ends with `Content-Length: `.
    package mutating func response(_ prefix: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) {
        guard prefix.count &+ 24 &+ body.count <= freeCount, !isFull, let base = unsafe memory.baseAddress,
            let start = prefix.baseAddress
        else {
            isFull = true
            return
        }
        // Everything fits: 24 bytes hold twenty digits and two line ends, and what `writeDigits` may touch.
        var place = unsafe base + written
        unsafe place.copyMemory(from: start, byteCount: prefix.count)
        unsafe place += prefix.count
        unsafe place += Self.writeDigits(UInt64(body.count), at: place)
        unsafe place.storeBytes(of: UInt32(0x0A0D_0A0D).littleEndian, as: UInt32.self)
        unsafe place += 4
        if let bytes = body.baseAddress { unsafe place.copyMemory(from: bytes, byteCount: body.count) }
        written = unsafe place - base &+ body.count
    }

    /// A field whose value comes from elsewhere. Writes nothing and answers false if the value could end the line
    /// (`FieldSyntax.isFieldValue`): response splitting.
    @discardableResult
    package mutating func field(_ name: StaticString, value: Span<UInt8>) -> Bool {
        guard FieldSyntax.isFieldValue(value) else { return false }
        raw(name)
        raw(": ")
        raw(value)
        raw("\r\n")
        return true
    }

    /// A field that comes from elsewhere. Writes nothing and answers false if the name is no token or the value could
    /// end the line.
    @discardableResult
    package mutating func field(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        guard FieldSyntax.isToken(name), FieldSyntax.isFieldValue(value) else { return false }
        raw(name)
        raw(": ")
        raw(value)
        raw("\r\n")
        return true
    }

    /// The Date field; `date` is the 29 bytes of an `HTTPDate`.
    package mutating func date(_ date: Span<UInt8>) {
        precondition(date.count == HTTPDate.byteCount, "an IMF-fixdate has 29 bytes")
        raw("Date: ")
        raw(date)
        raw("\r\n")
    }

    /// The empty line that ends a head or a trailer section.
    @inlinable
    package mutating func end() {
        raw("\r\n")
    }

    /// Bytes as they are, unchecked.
    @inlinable @inline(__always)
    package mutating func raw(_ text: StaticString) {
        // A StaticString's bytes live as long as the process.
        unsafe append(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Bytes as they are, unchecked.
    @inlinable @inline(__always)
    package mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        unsafe append(base, bytes.count)
    }

    /// Bytes as they are, unchecked.
    @inlinable @inline(__always)
    package mutating func raw(_ bytes: Span<UInt8>) {
        // The pointer is used inside the closure only; an empty span has none and nothing to copy.
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe append(base, source.count)
        }
    }

    /// A number without leading zeros.
    package mutating func decimal(_ value: UInt64) {
        guard !isFull, freeCount >= Self.digitsRoom, let base = unsafe memory.baseAddress else {
            return decimalInLittleRoom(value)
        }
        // There is room behind `written`, as was just seen.
        written &+= unsafe Self.writeDigits(value, at: base + written)
    }

    /// As `decimal`, by way of a copy: what is written at once may be longer than the number.
    @inline(never)
    private mutating func decimalInLittleRoom(_ value: UInt64) {
        var digits = InlineArray<24, UInt8>(repeating: 0)
        var bytes = digits.mutableSpan
        let count = unsafe bytes.withUnsafeMutableBytes { memory in
            // As long as `digitsRoom`; an array of bytes that is not empty has an address.
            unsafe memory.baseAddress.map { unsafe Self.writeDigits(value, at: $0) } ?? 0
        }
        raw(digits.span.extracting(0..<count))
    }

    /// What `writeDigits` may touch: twenty digits, and what it stores behind the last.
    private static let digitsRoom = 24

    /// Writes a number's digits to memory that has room for `digitsRoom`, and answers how many they are.
    private static func writeDigits(_ value: UInt64, at place: UnsafeMutableRawPointer) -> Int {
        if value >= 100_000_000 {
            let (upper, lower) = value.quotientAndRemainder(dividingBy: 100_000_000)
            let count = unsafe writeDigits(upper, at: place)
            unsafe storeDigits(decimals(UInt32(truncatingIfNeeded: lower)), at: place + count)
            return count &+ 8
        }
        let digits = decimals(UInt32(truncatingIfNeeded: value))
        // The first digit is in the lowest byte, so leading zeros are the bytes below the first bit; 0 keeps its last.
        let zeros = min(digits.trailingZeroBitCount, 56) & ~7
        unsafe storeDigits(digits &>> UInt64(zeros), at: place)
        return 8 &- zeros &>> 3
    }

    @inline(__always)
    private static func storeDigits(_ digits: UInt64, at place: UnsafeMutableRawPointer) {
        unsafe place.storeBytes(of: (digits | 0x3030_3030_3030_3030).littleEndian, as: UInt64.self)
    }

    /// The eight decimal digits of a number below 10^8, one to a byte, the first in the lowest: all at once, where a loop
    /// divides once for each.
    @inline(__always)
    private static func decimals(_ value: UInt32) -> UInt64 {
        // Two numbers of four digits, then four of two, then eight of one. What multiplies is the inverse of 100 and of 10,
        // exact for as many digits as there are.
        let (upper, lower) = value.quotientAndRemainder(dividingBy: 10_000)
        let fours = UInt64(upper) | UInt64(lower) &<< 32
        let hundreds = (fours &* 10_486) &>> 20 & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) &<< 16
        let tens = (twos &* 103) &>> 10 & 0x000F_000F_000F_000F
        return tens | (twos &- tens &* 10) &<< 8
    }

    /// A number in lower-case hexadecimal without leading zeros.
    package mutating func hexadecimal(_ value: UInt64) {
        var digits = InlineArray<16, UInt8>(repeating: 0)
        var first = 16
        var rest = value
        repeat {
            first &-= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            digits[first] = digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ digit &- 10
            rest &>>= 4
        } while rest != 0
        raw(digits.span.extracting(first..<16))
    }

    /// Sixteen hexadecimal digits in lower case: ids of requests and traces.
    package mutating func fixedHexadecimal(_ value: UInt64) {
        let (upper, lower) = (UInt32(truncatingIfNeeded: value &>> 32), UInt32(truncatingIfNeeded: value))
        let digits = (Self.eightDigits(upper), Self.eightDigits(lower))
        unsafe withUnsafeBytes(of: digits) { unsafe raw($0) }
    }

    /// Two hexadecimal digits in lower case.
    package mutating func fixedHexadecimal(_ value: UInt8) {
        // The last two of eight, which are the first bytes of what is left after a shift.
        let digits = (UInt64(littleEndian: Self.eightDigits(UInt32(value))) &>> 48).littleEndian
        unsafe withUnsafeBytes(of: digits) { unsafe raw(UnsafeRawBufferPointer(rebasing: $0[..<2])) }
    }

    /// The digits of a number as they lie in memory, all at once: a loop takes six instructions for each.
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        // One hexadecimal digit in each byte, the first in the lowest.
        var digits = UInt64(value.byteSwapped)
        digits = (digits | digits &<< 16) & 0x0000_FFFF_0000_FFFF
        digits = (digits | digits &<< 8) & 0x00FF_00FF_00FF_00FF
        digits = (digits &>> 4 | digits &<< 8) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte that is a letter: 6 more than 10 or above is a fifth bit.
        let letters = (digits &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        // A letter lies 0x27 behind where its digit would be.
        return (digits &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).littleEndian
    }

    /// Stores four bytes of which `byteCount` count; the caller has seen that four fit.
    @inline(__always)
    private mutating func store(_ bytes: UInt32, byteCount: Int) {
        guard !isFull, let base = unsafe memory.baseAddress else { return }
        unsafe (base + written).storeBytes(of: bytes, as: UInt32.self)
        written &+= byteCount
    }

    @inlinable @inline(__always)
    mutating func append(_ source: UnsafeRawPointer, _ byteCount: Int) {
        guard !isFull, byteCount <= freeCount else {
            isFull = true
            return
        }
        guard byteCount > 0, let base = unsafe memory.baseAddress else { return }
        // The bytes fit behind `written`, as was just seen.
        unsafe (base + written).copyMemory(from: source, byteCount: byteCount)
        written &+= byteCount
    }
}
