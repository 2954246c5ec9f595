// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("HTTPMethod") struct HTTPMethodTests {
    @Test("A method is recognised by its name and by nothing like it", arguments: HTTPMethod.allCases)
    func name(method: HTTPMethod) {
        let name = method == .other ? "BREW" : "\(method.name)"
        #expect(recognised(name) == method)
        #expect(recognised(name + "S") == .other)
        #expect(recognised(String(name.dropLast())) == .other)
        #expect(recognised(name.lowercased()) == .other)
        #expect(recognised(String(name.reversed())) == .other)
    }

    private func recognised(_ name: String) -> HTTPMethod? {
        // The one target that CONNECT allows is none for the others.
        let target = name == "CONNECT" ? "h:80" : "/"
        let bytes = Array("\(name) \(target) HTTP/1.0\r\n\r\n".utf8)
        var parser = RequestParser(limits: HTTPLimits())
        guard parser.parse(bytes.span) == .complete else { return nil }
        return parser.head.method
    }
}
