// SPDX-License-Identifier: Apache-2.0
// What the Connection fields of a message say (RFC 9110 section 7.6.1).

/// The options that are known, and where the names of others are.
struct ConnectionOptions {
    /// How many fields Connection may name beyond those that are known; more are refused, so that finding out whether
    /// a field goes on costs a bounded time. Those who use this name one or two.
    static let namedMax = 16

    private(set) var hasClose = false
    private(set) var hasKeepAlive = false
    private(set) var hasUpgrade = false
    /// How many options are neither of the above nor a `HeaderName`.
    private(set) var namedCount = 0
    /// Where they stand; the first `namedCount` belong to this head.
    private var named = InlineArray<16, ByteRange>(repeating: .empty)

    /// Makes ready for the next head, at the cost of four stores.
    @inline(__always)
    mutating func reset() {
        hasClose = false
        hasKeepAlive = false
        hasUpgrade = false
        namedCount = 0
    }

    /// Adds the list in `start..<end`, which is a field's value.
    ///
    /// Empty elements are allowed, as RFC 9110 section 5.6.1.2 asks of a reader.
    @inline(__always)
    mutating func add(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        // Nearly always the list is one of these. Of what a value may hold, only letters and hyphens match.
        if ByteScan.tokenMatches(bytes, start, end &- start, "keep-alive") {
            hasKeepAlive = true
            return nil
        }
        if ByteScan.tokenMatches(bytes, start, end &- start, "close") {
            hasClose = true
            return nil
        }
        return addList(bytes, from: start, to: end)
    }

    private mutating func addList(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        var index = start
        while index < end {
            while index < end, FieldLine.isWhitespace(bytes[index]) || bytes[index] == ByteScan.comma { index &+= 1 }
            let optionStart = index
            while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
            guard note(bytes, optionStart, index &- optionStart) else {
                return RequestFault(.connectionTooLong, at: optionStart)
            }
            while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
            if index < end, bytes[index] != ByteScan.comma { return RequestFault(.connectionMalformed, at: index) }
        }
        return nil
    }

    /// Whether a name that is no `HeaderName` is among the options, ASCII letters in any case.
    func names(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
        var index = 0
        while index < namedCount {
            if ByteScan.equalIgnoringCase(bytes, named[index], bytes, name) { return true }
            index &+= 1
        }
        return false
    }

    /// Answers false if there is no room for the option.
    @inline(__always)
    private mutating func note(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
        if ByteScan.tokenMatches(bytes, start, count, "upgrade") {
            hasUpgrade = true
        } else if ByteScan.tokenMatches(bytes, start, count, "keep-alive") {
            hasKeepAlive = true
        } else if ByteScan.tokenMatches(bytes, start, count, "close") {
            hasClose = true
        } else if count > 0, !HeaderName.recognise(bytes, start, count).isOne {
            guard namedCount < Self.namedMax else { return false }
            named[namedCount] = ByteRange(start, start &+ count)
            namedCount &+= 1
        }
        return true
    }
}
