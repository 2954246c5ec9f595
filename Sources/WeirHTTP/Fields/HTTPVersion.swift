// SPDX-License-Identifier: Apache-2.0
// The version that a request or status line names (RFC 9112 section 2.3).

/// Reads `HTTP/` DIGIT `.` DIGIT, case-sensitive.
enum HTTPVersion {
    static let byteCount = 8

    /// What stands in the eight bytes at `start`: 0 for HTTP/1.0, 1 for any later 1.x, nil for anything else.
    @inline(__always)
    static func minor(_ bytes: Span<UInt8>, at start: Int) -> UInt8? {
        // All eight bytes in one comparison: `HTTP/1.` below, the minor version on top.
        let version = UInt64(littleEndian: ByteScan.word(bytes, start))
        let minor = UInt8(truncatingIfNeeded: version &>> 56)
        guard version & 0x00FF_FFFF_FFFF_FFFF == 0x002E_312F_5054_5448, ByteClass.contains(ByteClass.digit, minor)
        else { return nil }
        return minor == UInt8(ascii: "0") ? 0 : 1
    }

    /// Tells another version from something that is none; eight bytes stand at `start`.
    static func fault(_ bytes: Span<UInt8>, at start: Int) -> RequestFault {
        let isHTTP = UInt64(littleEndian: ByteScan.word(bytes, start)) & 0x00FF_FFFF_FFFF == 0x002F_5054_5448
        let isVersion =
            isHTTP && ByteClass.contains(ByteClass.digit, bytes[start &+ 5])
            && bytes[start &+ 6] == UInt8(ascii: ".") && ByteClass.contains(ByteClass.digit, bytes[start &+ 7])
        if isVersion { return RequestFault(.versionUnsupported, at: start) }
        return RequestFault(FieldLine.kind(of: bytes[start], else: .versionMalformed), at: start)
    }
}
