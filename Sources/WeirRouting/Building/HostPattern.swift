// SPDX-License-Identifier: Apache-2.0
// A route's host, checked and brought to the one form that lookups compare with.

/// A route's host: exact (`shop.example.com`, `[::1]`), or a wildcard (`*.example.com`) for one or more labels in
/// front.
struct HostPattern: Hashable {
    /// The longest name that DNS allows (RFC 1035, 2.3.4), in the text form without the final dot.
    static let bytesMax = 253

    /// Lower case, no trailing dot. A wildcard is its suffix with the dot in front: `.example.com`.
    let key: [UInt8]

    var isWildcard: Bool { key.first == UInt8(ascii: ".") }

    /// - Throws: ``RoutingError/invalidHost(host:reason:)``.
    init(_ text: String) throws(RoutingError) {
        var bytes = Array(text.utf8)
        for index in bytes.indices { bytes[index] = ASCII.lowercased(bytes[index]) }
        let isWildcard = bytes.starts(with: [UInt8(ascii: "*"), UInt8(ascii: ".")])
        if isWildcard { bytes.removeFirst() }
        if bytes.last == UInt8(ascii: "."), bytes.count > 1 { bytes.removeLast() }
        if let reason = Self.fault(bytes.dropFirst(isWildcard ? 1 : 0), mayBeAddress: !isWildcard) {
            throw .invalidHost(host: text, reason: reason)
        }
        key = bytes
    }

    /// What is wrong with a host, or nil.
    private static func fault(_ bytes: ArraySlice<UInt8>, mayBeAddress: Bool) -> String? {
        if bytes.count > bytesMax { return "longer than \(bytesMax) bytes" }
        if bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]"), bytes.count > 2, mayBeAddress {
            let isAddress = bytes.dropFirst().dropLast().allSatisfy { byte in
                ASCII.hexValue(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
            }
            return isAddress ? nil : "not an IPv6 address in brackets"
        }
        for label in bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            if label.isEmpty { return "empty label" }
            if label.count > 63 { return "a label longer than 63 bytes" }
            for byte in label where !isLabelByte(byte) {
                switch byte {
                case UInt8(ascii: "*"): return "\"*.\" can only stand in front, once"
                case UInt8(ascii: ":"): return "a port is not part of a route's host"
                default: return "byte 0x\(String(byte, radix: 16)) (names beyond ASCII are written as xn--…)"
                }
            }
        }
        return nil
    }

    /// Letters, digits, hyphen; the underscore is no host name by the RFCs, but service names in clusters have it.
    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
