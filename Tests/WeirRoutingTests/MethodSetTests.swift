// SPDX-License-Identifier: Apache-2.0
// The set of methods and its `Allow` text.

import Testing
import WeirRouting

@Suite struct MethodSetTests {
    @Test(
        "allowHeader names methods in the order of their indices",
        arguments: [
            ([], ""),
            ([.options, .get, .head], "GET, HEAD, OPTIONS"),
            ([.patch, .trace, .connect, .delete, .put, .post], "POST, PUT, DELETE, CONNECT, TRACE, PATCH"),
            ([.get, .other], "GET"),
            (.all, "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH"),
        ] as [(MethodSet, String)]
    )
    func allowHeader(methods: MethodSet, expected: String) {
        #expect(methods.allowHeader == expected)
    }

    @Test("a method's index is its bit, and unknown indices are \"other\"")
    func indices() {
        let inOrder: [MethodSet] = [.get, .head, .post, .put, .delete, .connect, .options, .trace, .patch, .other]
        for (index, method) in inOrder.enumerated() {
            #expect(MethodSet(methodIndex: UInt8(index)) == method)
        }
        #expect(MethodSet(methodIndex: 10) == .other)
        #expect(MethodSet(methodIndex: 255) == .other)
        #expect(MethodSet(inOrder) == .all)
    }
}
