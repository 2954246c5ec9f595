// SPDX-License-Identifier: Apache-2.0
// Single bytes of ASCII text.

enum ASCII {
    /// The byte in lower case where it is a letter of ASCII, else the byte itself.
    @inline(always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// The value of a hexadecimal digit, 0 ... 15, or nil if the byte is no hexadecimal digit.
    @inline(always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }
}
