// SPDX-License-Identifier: Apache-2.0
// The checksum of RFC 4960 appendix B. A table of 16 entries: a header has a hundred bytes, once per connection.

/// CRC-32C (Castagnoli), reflected, of the bytes added.
struct CRC32C {
    private var register = UInt32.max

    var value: UInt32 { ~register }

    mutating func add(_ byte: UInt8) {
        register ^= UInt32(byte)
        register = register >> 4 ^ Self.table[Int(register & 15)]
        register = register >> 4 ^ Self.table[Int(register & 15)]
    }

    /// What four zero bits make of each four bits, with the reflected polynomial 0x82F63B78.
    private static let table: InlineArray<16, UInt32> = [
        0x0000_0000, 0x105E_C76F, 0x20BD_8EDE, 0x30E3_49B1,
        0x417B_1DBC, 0x5125_DAD3, 0x61C6_9362, 0x7198_540D,
        0x82F6_3B78, 0x92A8_FC17, 0xA24B_B5A6, 0xB215_72C9,
        0xC38D_26C4, 0xD3D3_E1AB, 0xE330_A81A, 0xF36E_6F75,
    ]
}
