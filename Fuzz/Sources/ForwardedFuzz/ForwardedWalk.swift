// SPDX-License-Identifier: Apache-2.0
// Everything that the walk over a Forwarded value says, and what must be true of it.

import WeirHTTP

struct ForwardedWalk {
    private var steps: [ForwardedIterator.Step] = []

    init(_ bytes: Span<UInt8>, _ value: ByteRange) {
        var iterator = ForwardedIterator(value)
        while let step = iterator.next(bytes) { steps.append(step) }
        precondition(iterator.next(bytes) == nil, "the walk goes on behind its end")
    }

    /// The steps without offsets.
    func texts(_ bytes: Span<UInt8>) -> [String] {
        steps.map { step in
            guard case .element(let element) = step else { return "malformed" }
            var text: [String] = []
            if let source = element.source { text.append("for \(Self.text(source, bytes))") }
            if let by = element.by { text.append("by \(Self.text(by, bytes))") }
            if let proto = element.proto { text.append("proto \(Self.text(proto, bytes))") }
            if let host = element.host { text.append("host \(Self.text(host, bytes))") }
            return text.joined(separator: "\0")
        }
    }

    /// Traps unless the steps fit the value, which is all of `bytes`.
    func check(_ bytes: Span<UInt8>) {
        var isWhole = true
        for (index, step) in steps.enumerated() {
            switch step {
            case .malformed:
                precondition(index == steps.count - 1, "something to the left of what is malformed")
                isWhole = false
            case .element(let element):
                if let source = element.source { Self.check(source, bytes) }
                if let by = element.by { Self.check(by, bytes) }
                for range in [element.proto, element.host] {
                    guard let range else { continue }
                    for position in range.bounds {
                        precondition(ByteClass.contains(ByteClass.fieldValue, bytes[position]))
                        precondition(bytes[position] != UInt8(ascii: "\"") && bytes[position] != UInt8(ascii: "\\"))
                    }
                }
            }
        }
        if isWhole {
            precondition(steps.count == Self.elementCountFromLeft(bytes), "cut at other commas than from the left")
        }
    }

    static func check(_ node: ForwardedNode, _ bytes: Span<UInt8>) {
        switch node {
        case .address(let range, _):
            precondition(!range.isEmpty)
            for position in range.bounds {
                precondition(ByteClass.contains(ByteClass.addressLiteral, bytes[position]))
            }
        case .obfuscated(let range):
            precondition(range.count > 1 && bytes[Int(range.start)] == UInt8(ascii: "_"))
        case .invalid(let range):
            precondition(range.end <= bytes.count)
        case .unknown:
            break
        }
    }

    /// How many elements that are not empty a list has, by RFC 9110 sections 5.6.1 and 5.6.4, from its front.
    private static func elementCountFromLeft(_ bytes: Span<UInt8>) -> Int {
        var count = 0
        var isEmpty = true
        var isQuoted = false
        var isEscaped = false
        for index in bytes.indices {
            let byte = bytes[index]
            if byte == UInt8(ascii: ","), !isQuoted {
                isEmpty = true
                continue
            }
            if isEmpty, byte != UInt8(ascii: " "), byte != UInt8(ascii: "\t") {
                isEmpty = false
                count += 1
            }
            if isEscaped {
                isEscaped = false
            } else if isQuoted, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            }
        }
        return count
    }

    private static func text(_ node: ForwardedNode, _ bytes: Span<UInt8>) -> String {
        switch node {
        case .address(let range, let port): "\(text(range, bytes)) \(port.map { "\($0)" } ?? "-")"
        case .unknown: "unknown"
        case .obfuscated(let range): "obfuscated \(text(range, bytes))"
        case .invalid(let range): "invalid \(text(range, bytes))"
        }
    }

    /// One character for each byte, so that other bytes are other text.
    private static func text(_ range: ByteRange, _ bytes: Span<UInt8>) -> String {
        String(String.UnicodeScalarView(range.bounds.map { Unicode.Scalar(bytes[$0]) }))
    }
}
