// SPDX-License-Identifier: Apache-2.0
// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 section 4), with exactly one space between.

extension ResponseParser {
    /// Reads the line in `0..<end`, which has no CRLF.
    mutating func parseStatusLine(_ bytes: Span<UInt8>, to end: Int) -> ResponseFault? {
        let versionEnd = HTTPVersion.byteCount
        guard end >= versionEnd else { return ResponseFault(.common(.versionMalformed), at: 0) }
        guard let minor = HTTPVersion.minor(bytes, at: 0) else {
            return ResponseFault(HTTPVersion.fault(bytes, at: 0))
        }
        head.minorVersion = minor

        let statusStart = versionEnd &+ 1
        let statusEnd = statusStart &+ 3
        guard end >= statusEnd, bytes[versionEnd] == ByteScan.space else {
            return fault(.statusLineMalformed, bytes, at: versionEnd, before: end)
        }
        var status = 0
        var index = statusStart
        while index < statusEnd {
            guard ByteClass.contains(ByteClass.digit, bytes[index]) else {
                return fault(.statusLineMalformed, bytes, at: index, before: end)
            }
            status = status &* 10 &+ Int(bytes[index] &- UInt8(ascii: "0"))
            index &+= 1
        }
        if end > statusEnd {
            guard bytes[statusEnd] == ByteScan.space else {
                return fault(.statusLineMalformed, bytes, at: statusEnd, before: end)
            }
            let reasonStart = statusEnd &+ 1
            let control = ByteScan.firstControl(in: bytes, from: reasonStart, to: end)
            guard control == end else { return fault(.reasonInvalid, bytes, at: control, before: end) }
            head.reason = ByteRange(reasonStart, end)
        }
        // RFC 9110 section 15: others are invalid; a gateway that passed them on would leave it to each reader.
        guard status >= 100, status <= 599 else { return ResponseFault(.statusOutOfRange, at: statusStart) }
        head.status = status
        return nil
    }

    /// A CR has its own name wherever it stands.
    private func fault(
        _ kind: ResponseFault.Kind,
        _ bytes: Span<UInt8>,
        at offset: Int,
        before end: Int
    ) -> ResponseFault {
        let isCarriageReturn = offset < end && bytes[offset] == ByteScan.carriageReturn
        return ResponseFault(isCarriageReturn ? .common(.bareCarriageReturn) : kind, at: offset)
    }
}
