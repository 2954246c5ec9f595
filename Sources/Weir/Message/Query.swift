// SPDX-License-Identifier: Apache-2.0
// Query parameters, decoded when somebody asks for them.

/// The parameters of a query, as forms write them: `name=value` pairs between `&`, `+` for a space, percent escapes.
///
/// An escape that is none stays as it is; bytes that are no UTF-8 become U+FFFD.
public struct Query: Sendable {
    /// The query as sent, without the `?`.
    public let text: String

    package init(text: String) {
        self.text = text
    }

    /// The first value of `name`; empty for a name without `=`.
    public subscript(name: String) -> String? {
        for (candidate, value) in pairs where candidate == name { return value }
        return nil
    }

    /// All values of `name`, in order.
    public func all(_ name: String) -> [String] {
        pairs.filter { $0.name == name }.map(\.value)
    }

    /// All pairs, in order.
    public var pairs: [(name: String, value: String)] {
        text.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true).map { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decode(parts[0]), parts.count > 1 ? Self.decode(parts[1]) : "")
        }
    }

    private static func decode(_ bytes: Substring.UTF8View) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index != bytes.endIndex {
            let byte = bytes[index]
            index = bytes.index(after: index)
            switch byte {
            case UInt8(ascii: "+"):
                decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let next = index
                if let high = digit(bytes, &index), let low = digit(bytes, &index) {
                    decoded.append(high << 4 | low)
                } else {
                    index = next
                    decoded.append(byte)
                }
            default:
                decoded.append(byte)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func digit(_ bytes: Substring.UTF8View, _ index: inout Substring.UTF8View.Index) -> UInt8? {
        guard index != bytes.endIndex else { return nil }
        let byte = bytes[index]
        index = bytes.index(after: index)
        return switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
