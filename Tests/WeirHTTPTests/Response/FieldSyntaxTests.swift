// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("FieldSyntax") struct FieldSyntaxTests {
    @Test("A token is one or more tchars", arguments: UInt8.min...UInt8.max)
    func token(byte: UInt8) {
        let allowed = ByteClass.contains(ByteClass.token, byte)
        let bytes = [UInt8(ascii: "a"), byte]
        let result = FieldSyntax.isToken(bytes.span)
        #expect(result == allowed)
    }

    @Test("Nothing is no token")
    func emptyToken() {
        let empty: [UInt8] = []
        let result = FieldSyntax.isToken(empty.span)
        #expect(!result)
    }

    @Test("A value holds no control byte, wherever it stands", arguments: UInt8.min...UInt8.max)
    func value(byte: UInt8) {
        let allowed = byte == 9 || byte >= 0x20 && byte != 0x7F
        for count in 1...19 {
            for index in 0..<count {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: count)
                bytes[index] = byte
                let result = FieldSyntax.isFieldValue(bytes.span)
                if result != allowed { Issue.record("byte \(byte) at \(index) of \(count): \(result)") }
            }
        }
    }
}
