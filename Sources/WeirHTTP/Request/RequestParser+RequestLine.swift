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

    /// `HTTP/` DIGIT `.` DIGIT, case-sensitive (RFC 9112 section 2.3).
    @inline(__always)
    private mutating func parseVersion(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        guard end &- start == 8 else { return RequestFault(.versionMalformed, at: start) }
        // All eight bytes in one comparison: `HTTP/1.` below, the minor version on top.
        let version = UInt64(littleEndian: ByteScan.word(bytes, start))
        let minor = UInt8(truncatingIfNeeded: version &>> 56)
        guard version & 0x00FF_FFFF_FFFF_FFFF == 0x002E_312F_5054_5448, ByteClass.contains(ByteClass.digit, minor)
        else { return versionFault(bytes, from: start) }
        head.minorVersion = minor == UInt8(ascii: "0") ? 0 : 1
        return nil
    }

    /// Tells another version from something that is none; eight bytes stand at `start`.
    private func versionFault(_ bytes: Span<UInt8>, from start: Int) -> RequestFault {
        let isHTTP = UInt64(littleEndian: ByteScan.word(bytes, start)) & 0x00FF_FFFF_FFFF == 0x002F_5054_5448
        let isVersion =
            isHTTP && ByteClass.contains(ByteClass.digit, bytes[start &+ 5])
            && bytes[start &+ 6] == UInt8(ascii: ".") && ByteClass.contains(ByteClass.digit, bytes[start &+ 7])
        if isVersion { return RequestFault(.versionUnsupported, at: start) }
        return RequestFault(FieldLine.kind(of: bytes[start], else: .versionMalformed), at: start)
    }
}
