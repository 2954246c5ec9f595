// SPDX-License-Identifier: Apache-2.0
// The fields that decide where a request ends, whom it is for and what becomes of its connection.

extension RequestParser {
    /// Takes in a field as soon as its line is whole, so that a fault shows as early as it can.
    @inline(__always)
    mutating func note(_ field: HeaderField, in bytes: Span<UInt8>) -> RequestFault? {
        let bit: UInt64 = 1 << UInt64(field.known.rawValue)
        let isRepeated = seen & bit != 0
        seen |= bit
        switch field.known {
        case .host: return noteHost(field, in: bytes, isRepeated: isRepeated)
        case .contentLength: return noteContentLength(field, in: bytes, isRepeated: isRepeated)
        case .transferEncoding: return noteTransferEncoding(field, in: bytes, isRepeated: isRepeated)
        case .connection:
            let fault = connection.add(bytes, from: Int(field.value.start), to: field.value.end)
            return fault < 0 ? nil : RequestFault(.connectionMalformed, at: fault)
        case .expect: return noteExpect(field, in: bytes)
        default: return nil
        }
    }

    func hasSeen(_ name: HeaderName) -> Bool {
        seen & (1 << UInt64(name.rawValue)) != 0
    }

    /// RFC 9112 section 3.2. A Host that differs from the target's authority is refused, although a server may ignore
    /// it: another reader on the way may have routed by it.
    private mutating func noteHost(_ field: HeaderField, in bytes: Span<UInt8>, isRepeated: Bool) -> RequestFault? {
        if isRepeated { return RequestFault(.hostRepeated, at: Int(field.name.start)) }
        if !field.value.isEmpty {
            let fault = Authority.firstFault(bytes, from: Int(field.value.start), to: field.value.end)
            guard fault < 0 else { return RequestFault(.hostInvalid, at: fault) }
        }
        if head.form == .absolute || head.form == .authority {
            guard ByteScan.equalIgnoringCase(bytes, field.value, bytes, head.authority) else {
                return RequestFault(.hostMismatch, at: Int(field.value.start))
            }
        } else {
            head.authority = field.value
        }
        return nil
    }

    /// One field, digits only, below 2^63. Stricter than RFC 9110 section 8.6: equal repeated values are refused too.
    private mutating func noteContentLength(
        _ field: HeaderField,
        in bytes: Span<UInt8>,
        isRepeated: Bool
    ) -> RequestFault? {
        if isRepeated { return RequestFault(.contentLengthRepeated, at: Int(field.name.start)) }
        if hasSeen(.transferEncoding) { return RequestFault(.lengthAndCoding, at: Int(field.name.start)) }
        let start = Int(field.value.start)
        let end = field.value.end
        // 19 digits fit a UInt64, so the sum below cannot wrap; leading zeros count as digits.
        guard start < end, end &- start <= 19 else { return RequestFault(.contentLengthInvalid, at: start) }
        var length: UInt64 = 0
        var index = start
        while index < end {
            let byte = bytes[index]
            guard ByteClass.contains(ByteClass.digit, byte) else {
                return RequestFault(.contentLengthInvalid, at: index)
            }
            length = length &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
            index &+= 1
        }
        guard length <= UInt64(Int64.max) else { return RequestFault(.contentLengthInvalid, at: start) }
        head.framing = .length(length)
        return nil
    }

    /// RFC 9112 section 6.1. Refused beside Content-Length and in HTTP/1.0, whose readers take it for no framing.
    private mutating func noteTransferEncoding(
        _ field: HeaderField,
        in bytes: Span<UInt8>,
        isRepeated: Bool
    ) -> RequestFault? {
        if head.minorVersion == 0 { return RequestFault(.codingInHTTP10, at: Int(field.name.start)) }
        if hasSeen(.contentLength) { return RequestFault(.lengthAndCoding, at: Int(field.name.start)) }
        let fault = TransferCoding.fault(
            bytes,
            from: Int(field.value.start),
            to: field.value.end,
            seenChunked: isRepeated
        )
        if fault == nil { head.framing = .chunked }
        return fault
    }

    /// RFC 9110 section 10.1.1: HTTP/1.0 has no expectations, and there is only one in HTTP/1.1.
    private func noteExpect(_ field: HeaderField, in bytes: Span<UInt8>) -> RequestFault? {
        if head.minorVersion == 0 { return nil }
        let start = Int(field.value.start)
        if ByteScan.tokenMatches(bytes, start, Int(field.value.count), "100-continue") { return nil }
        return RequestFault(.expectationUnsupported, at: start)
    }

    /// Draws the conclusions at the empty line.
    mutating func finish(endingAt end: Int) -> ParseOutcome {
        let isHTTP11 = head.minorVersion == 1
        if isHTTP11, !hasSeen(.host) { return .invalid(RequestFault(.hostMissing, at: lineStart)) }
        head.byteCount = UInt32(end)
        head.keepsAlive = !connection.hasClose && (isHTTP11 || connection.hasKeepAlive)
        head.hasUpgrade = isHTTP11 && connection.hasUpgrade && hasSeen(.upgrade)
        let hasBody = head.framing != .none && head.framing != .length(0)
        head.expectsContinue = isHTTP11 && hasBody && hasSeen(.expect)
        return .complete
    }
}
