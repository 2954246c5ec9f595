// SPDX-License-Identifier: Apache-2.0
// Memory in which the log's thread puts lines together before it writes them.

/// Bytes of whole lines, and of the one that is being put together.
package struct LineBuffer: ~Copyable {
    /// What is written at once.
    package static let batchBytesMax = 64 << 10
    /// The longest line.
    package static let lineBytesMax = 16 << 10

    private let memory: UnsafeMutableRawPointer
    package private(set) var count = 0

    package init() {
        memory = .allocate(byteCount: Self.batchBytesMax, alignment: 64)
    }

    deinit {
        memory.deallocate()
    }

    /// Whether another line fits, however long.
    package var hasRoomForLine: Bool { count <= Self.batchBytesMax - Self.lineBytesMax }

    /// What there is, until the buffer changes.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    package mutating func removeAll() {
        count = 0
    }

    /// Room for `byteCount` bytes at the end, which the caller fills.
    @inline(__always)
    private mutating func extend(_ byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(byteCount <= Self.batchBytesMax &- count, "a line is longer than lines may be")
        let place = memory + count
        count &+= byteCount
        return place
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        let byteCount = text.utf8CodeUnitCount
        extend(byteCount).copyMemory(from: text.utf8Start, byteCount: byteCount)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        extend(bytes.count).copyMemory(from: base, byteCount: bytes.count)
    }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    mutating func append(decimal number: UInt64) {
        var digitCount = 1
        var rest = number / 10
        while rest > 0 {
            digitCount &+= 1
            rest /= 10
        }
        append(number, digitCount: digitCount)
    }

    /// The lowest digits, with zeros in front.
    mutating func append(_ number: UInt64, digitCount: Int) {
        let place = extend(digitCount)
        var rest = number
        var index = digitCount
        while index > 0 {
            index &-= 1
            place.storeBytes(
                of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10),
                toByteOffset: index,
                as: UInt8.self
            )
            rest /= 10
        }
    }

    /// All 16 digits, in lower case.
    mutating func append(hexadecimal number: UInt64) {
        let place = extend(16)
        // Each half's nibbles are spread over the bytes of a word and become digits all at once.
        place.storeBytes(of: Self.digits(number >> 32).bigEndian, as: UInt64.self)
        place.storeBytes(of: Self.digits(number & 0xFFFF_FFFF).bigEndian, toByteOffset: 8, as: UInt64.self)
    }

    private static func digits(_ number: UInt64) -> UInt64 {
        var spread = number
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte whose nibble is above 9: those digits lie 39 further on, behind the upper-case letters.
        let letters = ((spread &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}
