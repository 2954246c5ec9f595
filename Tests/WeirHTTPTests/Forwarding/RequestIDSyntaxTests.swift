// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("RequestIDSyntax") struct RequestIDSyntaxTests {
    @Test("An id is visible ASCII without quote and backslash", arguments: UInt8.min...UInt8.max)
    func bytes(byte: UInt8) {
        let isVisible = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        for id in [[byte], [0x61, byte], [byte, 0x61], [0x61, byte, 0x61]] {
            let result = RequestIDSyntax.isAcceptable(id.span)
            #expect(result == isVisible)
        }
    }

    @Test("An id has 1 to 128 bytes", arguments: [(0, false), (1, true), (128, true), (129, false), (4096, false)])
    func length(count: Int, isAcceptable: Bool) {
        let result = RequestIDSyntax.isAcceptable([UInt8](repeating: 0x61, count: count).span)
        #expect(result == isAcceptable)
    }
}
