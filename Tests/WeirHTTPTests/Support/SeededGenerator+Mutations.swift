// SPDX-License-Identifier: Apache-2.0
// Ways to spoil messages, and to cut them up.

import WeirTestSupport

extension SeededGenerator {
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
