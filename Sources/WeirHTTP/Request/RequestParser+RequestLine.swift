// SPDX-License-Identifier: Apache-2.0
// method SP request-target SP HTTP-version (RFC 9112 section 3), with exactly one space between.

extension RequestParser {
    /// Reads the line in `start..<end`, which is not empty and has no CRLF.
    mutating func parseRequestLine(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        var index = start
        while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
        guard index < end else { return RequestFault(.requestLineMalformed, at: end) }
        guard bytes[index] == ByteScan.space, index > start else {
            return RequestFault(FieldLine.kind(of: bytes[index], else: .methodInvalid), at: index)
        }
        guard index &- start <= HTTPMethod.byteCountMax else { return RequestFault(.methodTooLong, at: start) }
        head.methodRange = ByteRange(start, index)
        head.method = HTTPMethod.recognise(bytes, start, index &- start)

        let targetStart = index &+ 1
        var targetEnd = targetStart
        while targetEnd < end, ByteClass.contains(ByteClass.path, bytes[targetEnd]) { targetEnd &+= 1 }
        let pathEnd = targetEnd
        if targetEnd < end, bytes[targetEnd] == UInt8(ascii: "?") {
            targetEnd &+= 1
            while targetEnd < end, ByteClass.contains(ByteClass.query, bytes[targetEnd]) { targetEnd &+= 1 }
            head.query = ByteRange(pathEnd &+ 1, targetEnd)
        }
        guard targetEnd < end, targetEnd > targetStart else {
            return RequestFault(.requestLineMalformed, at: targetEnd)
        }
        guard bytes[targetEnd] == ByteScan.space else {
            return RequestFault(FieldLine.kind(of: bytes[targetEnd], else: .targetByteInvalid), at: targetEnd)
        }
        head.target = ByteRange(targetStart, targetEnd)
        if let fault = parseVersion(bytes, from: targetEnd &+ 1, to: end) { return fault }
        return parseTarget(bytes, from: targetStart, pathEnd: pathEnd, to: targetEnd)
    }

    @inline(__always)
    private mutating func parseVersion(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        guard end &- start == HTTPVersion.byteCount else { return RequestFault(.versionMalformed, at: start) }
        guard let minor = HTTPVersion.minor(bytes, at: start) else { return HTTPVersion.fault(bytes, at: start) }
        head.minorVersion = minor
        return nil
    }
}
