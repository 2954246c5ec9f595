// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("A written Forwarded element") struct ForwardedElementWriterTests {
    private func written(_ address: String, _ port: UInt16?, _ host: String) -> (text: String, isWritten: Bool) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 8)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        let isWritten = writer.forwardedElement(
            address: Array(address.utf8).span,
            port: port,
            proto: "http",
            host: Array(host.utf8).span
        )
        return (String(decoding: memory[..<writer.count], as: UTF8.self), isWritten)
    }

    static let elements: [(address: String, port: UInt16?, host: String, text: String)] = [
        ("192.0.2.43", nil, "example.com", "for=192.0.2.43;proto=http;host=example.com"),
        ("192.0.2.43", 4711, "", "for=\"192.0.2.43:4711\";proto=http"),
        ("2001:db8::1", nil, "", "for=\"[2001:db8::1]\";proto=http"),
        ("2001:db8::1", 4711, "a:80", "for=\"[2001:db8::1]:4711\";proto=http;host=\"a:80\""),
        ("", 4711, "a", "for=unknown;proto=http;host=a"),
        ("::1", nil, "[::1]:80", "for=\"[::1]\";proto=http;host=\"[::1]:80\""),
        ("::1", 0, "a\"b\\c\\", "for=\"[::1]:0\";proto=http;host=\"a\\\"b\\\\c\\\\\""),
        ("1.1.1.1", nil, "\"", "for=1.1.1.1;proto=http;host=\"\\\"\""),
        ("1.1.1.1", nil, "a,b;c=d", "for=1.1.1.1;proto=http;host=\"a,b;c=d\""),
    ]

    @Test("Values are quoted where the grammar wants it, and are read again", arguments: elements)
    func element(address: String, port: UInt16?, host: String, text: String) {
        let result = written(address, port, host)
        #expect(result.text == text)
        #expect(result.isWritten)
        let bytes = Array(("for=evil, " + text).utf8)
        var iterator = ForwardedIterator(ByteRange(0, bytes.count))
        guard case .element(let element) = iterator.next(bytes.span) else {
            Issue.record("\(text) is not read")
            return
        }
        let node = element.source.map { NamedNode($0, bytes) }
        #expect(node == (address.isEmpty ? .unknown : .address(address, port)))
        let hostRead = element.host.map { String(decoding: bytes[$0.bounds], as: UTF8.self) }
        let hasEscape = host.contains { "\"\\".contains($0) }
        #expect(hostRead == (host.isEmpty ? nil : hasEscape ? "" : host))
    }

    @Test(
        "What could end the line or the value is not written",
        arguments: [
            ("1.1.1.1", "a\r\nb"), ("1.1.1.1", "\n"), ("1.1.1.1", "\0"), ("a b", ""), ("1.1.1.1\"", ""), ("x", ""),
        ]
    )
    func splitting(address: String, host: String) {
        let result = written(address, nil, host)
        #expect(result.text == "")
        #expect(!result.isWritten)
    }
}
