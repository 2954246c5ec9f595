// SPDX-License-Identifier: Apache-2.0
// The fields that delimit a body and say what becomes of the connection (RFC 9112 sections 6 and 9).

extension FieldSection {
    /// Adds the options of a Connection field, the last in the table.
    @inline(__always)
    mutating func noteConnection(in bytes: Span<UInt8>) -> RequestFault? {
        let value = last.value
        return connection.add(bytes, from: Int(value.start), to: value.end)
    }

    /// One field, digits only, below 2^63. Stricter than RFC 9110 section 8.6: equal repeated values are refused too.
    mutating func noteContentLength(in bytes: Span<UInt8>, isRepeated: Bool) -> RequestFault? {
        let field = last
        if isRepeated { return RequestFault(.contentLengthRepeated, at: Int(field.name.start)) }
        if seen.contains(.transferEncoding) { return RequestFault(.lengthAndCoding, at: Int(field.name.start)) }
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
        framing = .length(length)
        return nil
    }

    /// RFC 9112 section 6.1. Refused beside Content-Length and in HTTP/1.0, whose readers take it for no framing.
    mutating func noteTransferEncoding(
        in bytes: Span<UInt8>,
        isRepeated: Bool,
        minorVersion: UInt8
    ) -> RequestFault? {
        let field = last
        if minorVersion == 0 { return RequestFault(.codingInHTTP10, at: Int(field.name.start)) }
        if seen.contains(.contentLength) { return RequestFault(.lengthAndCoding, at: Int(field.name.start)) }
        let fault = TransferCoding.fault(
            bytes,
            from: Int(field.value.start),
            to: field.value.end,
            seenChunked: isRepeated
        )
        if fault == nil { framing = .chunked }
        return fault
    }
}
