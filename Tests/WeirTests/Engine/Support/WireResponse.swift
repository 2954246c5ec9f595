// SPDX-License-Identifier: Apache-2.0
// Responses as they came over the wire, one behind the other.

import Weir

/// One response, informational ones included.
struct WireResponse {
    let status: Int
    let fields: [(name: String, value: String)]
    /// Without the chunked coding.
    let body: [UInt8]
    let trailers: [(name: String, value: String)]
    /// The body was chunked, or had a length, and came to its end.
    let isWhole: Bool

    var text: String { String(decoding: body, as: UTF8.self) }

    subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    func count(_ name: String) -> Int { fields.count { $0.name.lowercased() == name.lowercased() } }

    enum Fault: Error { case malformed(String) }

    /// Reads all of `bytes`.
    /// - Parameter methods: what was asked, in order; nil for GET throughout. A HEAD has no body.
    static func all(in bytes: [UInt8], methods: [Method]? = nil) throws -> [WireResponse] {
        var rest = bytes[...]
        var responses: [WireResponse] = []
        var finalCount = 0
        while !rest.isEmpty {
            let method = methods.flatMap { finalCount < $0.count ? $0[finalCount] : nil } ?? .get
            let response = try one(&rest, isHead: method == .head)
            if response.status >= 200 { finalCount += 1 }
            responses.append(response)
        }
        return responses
    }

    private static func one(_ rest: inout ArraySlice<UInt8>, isHead: Bool) throws -> WireResponse {
        let statusLine = try line(&rest)
        let words = statusLine.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw Fault.malformed(statusLine)
        }
        let fields = try section(&rest)
        func value(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }
        var body: [UInt8] = []
        var trailers: [(name: String, value: String)] = []
        var isWhole = true
        if isHead || status < 200 || status == 204 || status == 304 {
        } else if value("transfer-encoding") == "chunked" {
            isWhole = false
            while !rest.isEmpty {
                guard let size = try? line(&rest), let count = Int(size, radix: 16) else { break }
                if count == 0 {
                    trailers = try section(&rest)
                    isWhole = true
                    break
                }
                body += rest.prefix(count)
                guard rest.count >= count + 2 else {
                    rest = []
                    break
                }
                rest = rest.dropFirst(count + 2)
            }
        } else if let length = value("content-length").flatMap({ Int($0) }) {
            isWhole = rest.count >= length
            body = [UInt8](rest.prefix(length))
            rest = rest.dropFirst(length)
        } else {
            body = [UInt8](rest)
            rest = []
        }
        return WireResponse(status: status, fields: fields, body: body, trailers: trailers, isWhole: isWhole)
    }

    private static func section(_ rest: inout ArraySlice<UInt8>) throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let text = try line(&rest)
            if text.isEmpty { return fields }
            guard let colon = text.firstIndex(of: ":") else { throw Fault.malformed(text) }
            fields.append((String(text[..<colon]), String(text[text.index(after: colon)...].drop { $0 == " " })))
        }
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) throws -> String {
        guard let end = rest.firstIndex(of: 13), end + 1 < rest.endIndex, rest[end + 1] == 10 else {
            throw Fault.malformed(String(decoding: rest, as: UTF8.self))
        }
        let line = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[(end + 2)...]
        return line
    }
}
