// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("ByteClass") struct ByteClassTests {
    @Test("The table says what the RFCs say, for every byte", arguments: UInt8.min...UInt8.max)
    func tableMatchesDefinition(byte: UInt8) {
        let isDigit = (0x30...0x39).contains(byte)
        let isLetter = (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        let isHex = isDigit || Array("abcdefABCDEF".utf8).contains(byte)
        let isVisible = (0x21...0x7E).contains(byte)
        let isToken = isDigit || isLetter || Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        #expect(ByteClass.contains(ByteClass.digit, byte) == isDigit)
        #expect(ByteClass.contains(ByteClass.hexDigit, byte) == isHex)
        #expect(ByteClass.contains(ByteClass.token, byte) == isToken)
        #expect(ByteClass.contains(ByteClass.fieldValue, byte) == (byte == 9 || byte >= 0x20 && byte != 0x7F))
        #expect(ByteClass.contains(ByteClass.query, byte) == (isVisible && byte != UInt8(ascii: "#")))
        #expect(
            ByteClass.contains(ByteClass.path, byte) == (isVisible && !Array("#?\\".utf8).contains(byte))
        )
        #expect(
            ByteClass.contains(ByteClass.hostName, byte) == (isDigit || isLetter || Array("-._~".utf8).contains(byte))
        )
        #expect(ByteClass.contains(ByteClass.addressLiteral, byte) == (isHex || Array(":.".utf8).contains(byte)))
    }
}
