// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("ChosenName") struct ChosenNameTests {
    private func known(_ name: String, chosen: String?) -> HeaderName? {
        let bytes = Array("GET / HTTP/1.0\r\n\(name): 100\r\n\r\n".utf8)
        var parser = RequestParser(deadlineName: chosen.flatMap { ChosenName($0) })
        guard case .complete = parser.parse(bytes.span) else { return nil }
        return parser.field(0).known
    }

    @Test("The name is found in any case", arguments: ["x-deadline", "X-DEADLINE", "X-Deadline"])
    func anyCase(name: String) {
        #expect(known(name, chosen: "X-Deadline") == .deadline)
        #expect(known(name, chosen: nil) == .other)
    }

    @Test("Another name is another", arguments: ["x-deadlin", "x-deadlines", "x_deadline", "y-deadline"])
    func otherNames(name: String) {
        #expect(known(name, chosen: "x-deadline") == .other)
    }

    @Test("A name may have up to 64 bytes")
    func length() {
        let longest = String(repeating: "x", count: ChosenName.byteCountMax)
        #expect(known(longest, chosen: longest) == .deadline)
        #expect(ChosenName(longest + "x") == nil)
    }

    @Test(
        "What is no name, the engine's own, or looks like one, is refused",
        arguments: [
            "", " ", "x deadline", "x:", "x\r\n", "é", "Host", "grpc-timeout", "Content-Length", "x_request_id",
        ]
    )
    func refused(name: String) {
        #expect(ChosenName(name) == nil)
    }

    @Test("It is kept in lower case")
    func lowerCase() throws {
        let name = try #require(ChosenName("X-Deadline-MS"))
        let span = name.span
        #expect((0..<span.count).map { span[$0] } == Array("x-deadline-ms".utf8))
    }
}
