// SPDX-License-Identifier: Apache-2.0
// Random numbers that can be had again: SplitMix64 from a seed that the failing test prints.

struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in `count` times.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    /// Changes, inserts, deletes or doubles a few bytes, preferring those that parsers stumble over.
    mutating func mutate(_ bytes: inout [UInt8]) {
        let favourites = Array("\r\n\t :;,=\"\\/?#0159afAFxX-+%[]\0".utf8) + [0x7F, 0x80, 0xFF]
        for _ in 0..<Int.random(in: 1...3, using: &self) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &self)
            let byte = favourites.randomElement(using: &self) ?? 0
            switch Int.random(in: 0..<4, using: &self) {
            case 0: bytes[index] = byte
            case 1: bytes.insert(byte, at: index)
            case 2: bytes.remove(at: index)
            default: bytes.insert(bytes[index], at: index)
            }
        }
    }

    /// Up to four rising positions in `0...count`.
    mutating func cuts(_ count: Int) -> [Int] {
        (0..<Int.random(in: 0...4, using: &self)).map { _ in Int.random(in: 0...count, using: &self) }.sorted()
    }
}
