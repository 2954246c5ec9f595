// SPDX-License-Identifier: Apache-2.0
// A response as a test looks at it.

/// What a ``TestClient`` received.
public struct TestResponse: Sendable {
    public let status: Int
    public let headers: Headers
    /// The body, without the chunked coding.
    public let body: [UInt8]

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    init(_ bytes: [UInt8], isHead: Bool) throws(TestClientError) {
        let broken = TestClientError.broken(bytes)
        var rest = bytes[...]
        var status = 0
        var headers = Headers()
        // Informational answers come before the one that counts.
        while status < 200 {
            guard let words = Self.line(&rest)?.split(separator: " ", maxSplits: 2), words.count >= 2,
                let code = Int(words[1])
            else { throw broken }
            status = code
            headers = Headers()
            while let line = Self.line(&rest), !line.isEmpty {
                guard let colon = line.firstIndex(of: ":") else { throw broken }
                headers.add(String(line[..<colon]), String(line[line.index(after: colon)...].drop { $0 == " " }))
            }
        }
        self.status = status
        self.headers = headers
        if headers["Transfer-Encoding"] != nil {
            guard let body = Self.unchunked(rest) else { throw broken }
            self.body = body
        } else {
            body = [UInt8](rest)
            if !isHead, let length = headers["Content-Length"], Int(length) != body.count { throw broken }
        }
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\r")) else { return nil }
        let line = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[min(end + 2, rest.endIndex)...]
        return line
    }

    private static func unchunked(_ coded: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = coded
        var body: [UInt8] = []
        while let line = line(&rest), let count = Int(line, radix: 16) {
            if count == 0 { return body }
            guard rest.count >= count + 2 else { return nil }
            body.append(contentsOf: rest.prefix(count))
            rest = rest.dropFirst(count + 2)
        }
        return nil
    }
}
