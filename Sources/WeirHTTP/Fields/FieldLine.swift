// SPDX-License-Identifier: Apache-2.0
// One field line, of a header or a trailer section (RFC 9112 section 5).

/// Reads `name ":" OWS value OWS`.
enum FieldLine {
    enum Outcome {
        case field(HeaderField)
        case invalid(RequestFault)
    }

    /// The field in `start..<end`, which is a whole line without its CRLF and is not empty.
    @inline(__always)
    static func parse(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Outcome {
        var colon = start
        while colon < end, ByteClass.contains(ByteClass.token, bytes[colon]) { colon &+= 1 }
        guard colon < end, colon > start, bytes[colon] == ByteScan.colon else {
            return .invalid(nameFault(bytes, from: start, stoppedAt: colon, to: end))
        }

        var lower = colon &+ 1
        while lower < end, isWhitespace(bytes[lower]) { lower &+= 1 }
        let control = ByteScan.firstControl(in: bytes, from: lower, to: end)
        guard control == end else {
            return .invalid(RequestFault(kind(of: bytes[control], else: .fieldValueInvalid), at: control))
        }
        var upper = end
        while upper > lower, isWhitespace(bytes[upper &- 1]) { upper &-= 1 }

        let count = colon &- start
        return .field(
            HeaderField(
                name: ByteRange(start, colon),
                value: ByteRange(lower, upper),
                known: HeaderName.recognise(bytes, start, count)
            )
        )
    }

    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == ByteScan.space || byte == ByteScan.tab
    }

    /// A CR inside a line has its own name, wherever it stands: it is the mark of a smuggling attempt.
    static func kind(of byte: UInt8, else kind: RequestFault.Kind) -> RequestFault.Kind {
        byte == ByteScan.carriageReturn ? .bareCarriageReturn : kind
    }

    private static func nameFault(
        _ bytes: Span<UInt8>,
        from start: Int,
        stoppedAt stop: Int,
        to end: Int
    ) -> RequestFault {
        if stop == end { return RequestFault(.fieldColonMissing, at: end) }
        let byte = bytes[stop]
        if stop == start {
            if isWhitespace(byte) { return RequestFault(.fieldLineFolded, at: stop) }
            if byte == ByteScan.colon { return RequestFault(.fieldNameEmpty, at: stop) }
        } else if isWhitespace(byte) {
            return RequestFault(.fieldNameSpace, at: stop)
        }
        return RequestFault(kind(of: byte, else: .fieldNameInvalid), at: stop)
    }
}
