// SPDX-License-Identifier: Apache-2.0
// The value of Transfer-Encoding (RFC 9112 sections 6.1 and 7).

/// Decides whether a request's body is chunked.
enum TransferCoding {
    /// The fault of the value in `start..<end`, or nil if it is `chunked` and nothing else.
    ///
    /// `seenChunked` tells that a line before this one was accepted, that is, ended in `chunked`. Faults of the list
    /// come before the codings it names: 501 is for a list that is right and asks for what is not here. Parameters
    /// are refused: chunked has none (section 7.1), and no other coding is known. So are empty elements.
    static func fault(
        _ bytes: Span<UInt8>,
        from start: Int,
        to end: Int,
        seenChunked: Bool
    ) -> RequestFault? {
        var isChunked = seenChunked
        var unsupported: Int?
        var index = start
        while true {
            let codingStart = index
            while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
            if index == codingStart { return RequestFault(.codingMalformed, at: index) }
            if ByteScan.tokenMatches(bytes, codingStart, index &- codingStart, "chunked") {
                if isChunked { return RequestFault(.chunkedRepeated, at: codingStart) }
                isChunked = true
            } else {
                if isChunked { return RequestFault(.chunkedNotLast, at: codingStart) }
                if unsupported == nil { unsupported = codingStart }
            }
            while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
            if index == end { break }
            guard bytes[index] == ByteScan.comma else { return RequestFault(.codingMalformed, at: index) }
            index &+= 1
            while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
        }
        return unsupported.map { RequestFault(.codingUnsupported, at: $0) }
    }
}
