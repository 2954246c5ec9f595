// SPDX-License-Identifier: Apache-2.0
// What the Connection fields of a request say (RFC 9110 section 7.6.1).

/// The options that this server knows; others belong to whoever forwards the request.
struct ConnectionOptions {
    var hasClose = false
    var hasKeepAlive = false
    var hasUpgrade = false

    /// Adds the list in `start..<end`; answers the offset of the first byte that is wrong, or -1.
    ///
    /// Empty elements are allowed, as RFC 9110 section 5.6.1.2 asks of a reader.
    mutating func add(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var index = start
        while index < end {
            while index < end, FieldLine.isWhitespace(bytes[index]) || bytes[index] == ByteScan.comma { index &+= 1 }
            let optionStart = index
            while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
            note(bytes, optionStart, index &- optionStart)
            while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
            if index < end, bytes[index] != ByteScan.comma { return index }
        }
        return -1
    }

    @inline(__always)
    private mutating func note(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) {
        switch count {
        case 5: if ByteScan.tokenMatches(bytes, start, count, "close") { hasClose = true }
        case 7: if ByteScan.tokenMatches(bytes, start, count, "upgrade") { hasUpgrade = true }
        case 10: if ByteScan.tokenMatches(bytes, start, count, "keep-alive") { hasKeepAlive = true }
        default: break
        }
    }
}
