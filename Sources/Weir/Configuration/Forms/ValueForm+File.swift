// SPDX-License-Identifier: Apache-2.0
// Forms of values that stand in the configuration file only: shares, factors, names, header fields. Pure.

import WeirHTTP
import WeirUpstream

extension ValueForm where Value == Int {
    /// A share in percent: `20%`, or `20`.
    static func percent(_ range: ClosedRange<Int>) -> Self {
        let bounds = "\(range.lowerBound)% to \(range.upperBound)%"
        return Self(
            unit: "percent",
            range: bounds,
            expected: "a share in percent such as 20%, from \(bounds)",
            parse: { text in
                let digits = text.hasSuffix("%") ? text.dropLast() : text[...]
                return Int(decimal: digits).flatMap { range.contains($0) ? $0 : nil }
            },
            format: { "\($0)%" },
            schema: .integer(range, or: "[0-9]+%")
        )
    }

    /// One of a few numbers.
    static func oneOf(_ numbers: [Int], unit: String) -> Self {
        let names = numbers.map(String.init).joined(separator: ", ")
        return Self(
            unit: unit,
            range: names,
            expected: "one of \(names)",
            parse: { text in Int(decimal: text).flatMap { numbers.contains($0) ? $0 : nil } },
            format: { "\($0)" },
            schema: .choice(numbers.map(String.init))
        )
    }
}

extension ValueForm where Value == Double {
    /// A number of at most three decimals: `2.5`. It is written in thousandths in `range`.
    static func factor(thousandths range: ClosedRange<Int>) -> Self {
        let bounds = "\(format(range.lowerBound)) to \(format(range.upperBound))"
        return Self(
            unit: "factor",
            range: bounds,
            expected: "a number such as 2.5, from \(bounds)",
            parse: { text in parse(text).flatMap { range.contains($0) ? Double($0) / 1000 : nil } },
            format: { format(Int(($0 * 1000).rounded())) },
            schema: .number("[0-9]+([.][0-9]{1,3})?")
        )
    }

    private static func parse(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard let first = parts.first, first.utf8.count <= 6, let whole = Int(decimal: first) else { return nil }
        if parts.count == 1 { return whole * 1000 }
        guard parts.count == 2, (1...3).contains(parts[1].utf8.count),
            let decimals = Int(decimal: parts[1] + String(repeating: "0", count: 3 - parts[1].utf8.count))
        else { return nil }
        return whole * 1000 + decimals
    }

    private static func format(_ thousandths: Int) -> String {
        let (whole, rest) = thousandths.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return "\(whole)" }
        var decimals = String(1000 + rest).dropFirst()
        while decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(whole).\(decimals)"
    }
}

extension ValueForm where Value == String {
    /// The name of an upstream or a pool: it becomes the label of metrics.
    static func name(of thing: String) -> Self {
        let bytesMax = 64
        return Self(
            unit: thing,
            range: "1 to \(bytesMax) letters, digits, `-`, `_`, `.`",
            expected: "a name of 1 to \(bytesMax) letters, digits, - _ and .",
            parse: { text in
                let isName = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                    default: "-_.".utf8.contains(byte)
                    }
                }
                return isName && (1...bytesMax).contains(text.utf8.count) ? text : nil
            },
            format: { $0 },
            schema: .word("[A-Za-z0-9._-]{1,\(bytesMax)}")
        )
    }

    /// The name of a header field that is matched or looked at; in lower case.
    static var token: Self {
        let bytesMax = 128
        return Self(
            unit: "field name",
            range: "at most \(bytesMax) bytes",
            expected: "a field name such as x-version, of at most \(bytesMax) letters, digits or !#$%&'*+-.^_`|~",
            parse: { text in
                text.utf8.count <= bytesMax && FieldSyntax.isToken(text.utf8.span) ? text.lowercased() : nil
            },
            format: { $0 },
            schema: .word("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,\(bytesMax)}")
        )
    }

    /// The name of a header field that is written or taken away; in lower case. What frames a message, is meant for one
    /// connection, or could be taken for that, is the gateway's own.
    static var editedField: Self {
        let form = token
        let own = HeaderNameSet.hopByHop.union(HeaderNameSet(.contentLength, .expect, .host, .lookalike, .trailer))
        return Self(
            unit: form.unit,
            range: form.range,
            expected: form.expected,
            parse: { text in
                guard let name = form.parse(text) else { return nil }
                return own.contains(HeaderName(name)) ? nil : name
            },
            format: form.format,
            reason: { text in
                guard form.parse(text) != nil else { return nil }
                return HeaderName(text) == .host
                    ? "the Host field is set by rewrite.host" : "this field is the gateway's own; expected another"
            },
            schema: form.schema
        )
    }

    /// What a header field may hold.
    static var fieldValue: Self {
        let bytesMax = 4096
        return Self(
            unit: "field value",
            range: "at most \(bytesMax) bytes",
            expected: "at most \(bytesMax) bytes without control characters",
            parse: { text in
                text.utf8.count <= bytesMax && FieldSyntax.isFieldValue(text.utf8.span) ? text : nil
            },
            format: { $0 },
            schema: .word(".{0,\(bytesMax)}")
        )
    }

    /// An absolute path, with a query perhaps, as it stands in a request line.
    static var requestPath: Self {
        let bytesMax = 2048
        return Self(
            unit: "path",
            range: "at most \(bytesMax) bytes",
            expected: "a path such as /healthz, of at most \(bytesMax) visible ASCII characters without #",
            parse: { text in
                let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
                return text.hasPrefix("/") && isVisible && text.utf8.count <= bytesMax ? text : nil
            },
            format: { $0 },
            schema: .text("/[!-~]*")
        )
    }

    /// Host, and a port perhaps.
    static var authority: Self {
        Self(
            unit: "host",
            range: "at most 253 bytes",
            expected: "a host such as orders.shop.svc, with a port perhaps",
            parse: { text in
                guard !text.contains("/"), let url = try? EndpointURL(parsing: "http://\(text)"), !text.contains(";")
                else { return nil }
                return url.authority
            },
            format: { $0 },
            schema: .word("[^/;@ ]+")
        )
    }
}
