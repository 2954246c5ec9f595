// SPDX-License-Identifier: Apache-2.0
// What keyed limits know their keys by: 64 bits that nobody can collide on purpose. Pure.

/// SipHash-1-3 (Aumasson and Bernstein, 2012) over a limit's index and the bytes of a key.
///
/// Keys are counted as the same where their hashes are, so the hash is keyed with a secret of the process: who does not
/// know it cannot look for a key that counts as somebody else's, nor for keys that all meet in one bucket. By chance
/// two of a million keys are the same once in 37 million starts.
package struct KeyHash: Sendable {
    private let key0: UInt64
    private let key1: UInt64

    /// - Parameter seed: 16 random bytes, the same for as long as limiters hand on their state.
    package init(seed: (UInt64, UInt64)) {
        (key0, key1) = seed
    }

    /// The hash of a limit's key; two limits know the same client by different ones.
    package func value(limit: Int, key: RawSpan) -> UInt64 {
        var state = SipState(key0, key1)
        state.absorb(UInt64(truncatingIfNeeded: limit))
        return state.finish(key, precedingBytes: 8)
    }

    /// As above, of a key that is one number: the hash of its eight bytes, the lowest first.
    package func value(limit: Int, word: UInt64) -> UInt64 {
        var state = SipState(key0, key1)
        state.absorb(UInt64(truncatingIfNeeded: limit))
        state.absorb(word)
        return state.finish(last: 16 &<< 56)
    }

    /// Plain SipHash-1-3, as the vectors have it.
    package func value(_ bytes: RawSpan) -> UInt64 {
        var state = SipState(key0, key1)
        return state.finish(bytes, precedingBytes: 0)
    }
}

private struct SipState {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    init(_ key0: UInt64, _ key1: UInt64) {
        v0 = key0 ^ 0x736f_6d65_7073_6575
        v1 = key1 ^ 0x646f_7261_6e64_6f6d
        v2 = key0 ^ 0x6c79_6765_6e65_7261
        v3 = key1 ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    /// Absorbs the rest of the message and its length.
    mutating func finish(_ bytes: RawSpan, precedingBytes: Int) -> UInt64 {
        var offset = 0
        while offset &+ 8 <= bytes.byteCount {
            // In bounds by the line above; any bytes are a number.
            absorb(UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset &+= 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.byteCount &+ precedingBytes) &<< 56
        var shift: UInt64 = 0
        while offset < bytes.byteCount {
            last |= UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) &<< shift
            offset &+= 1
            shift &+= 8
        }
        return finish(last: last)
    }

    /// Absorbs the word that the length is in.
    @inline(__always)
    mutating func finish(last: UInt64) -> UInt64 {
        absorb(last)
        v2 ^= 0xff
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = rotated(v1, 13) ^ v0
        v0 = rotated(v0, 32)
        v2 &+= v3
        v3 = rotated(v3, 16) ^ v2
        v0 &+= v3
        v3 = rotated(v3, 21) ^ v0
        v2 &+= v1
        v1 = rotated(v1, 17) ^ v2
        v2 = rotated(v2, 32)
    }

    @inline(__always)
    private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }
}
