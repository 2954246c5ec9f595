// SPDX-License-Identifier: Apache-2.0
// The fields that decide where a request ends, whom it is for and what becomes of its connection.

extension RequestParser {
    /// Takes in a field as soon as its line is whole, so that a fault shows as early as it can.
    @inline(__always)
    mutating func note(_ name: HeaderName, in bytes: Span<UInt8>, isRepeated: Bool) -> RequestFault? {
        switch name {
        case .host: return noteHost(fields.last, in: bytes, isRepeated: isRepeated)
        case .contentLength: return fields.noteContentLength(in: bytes, isRepeated: isRepeated)
        case .transferEncoding:
            let minorVersion = head.minorVersion
            return fields.noteTransferEncoding(in: bytes, isRepeated: isRepeated, minorVersion: minorVersion)
        case .connection: return fields.noteConnection(in: bytes)
        case .expect: return noteExpect(fields.last, in: bytes)
        default: return nil
        }
    }

    /// RFC 9112 section 3.2. A Host that differs from the target's authority is refused, although a server is to ignore
    /// it (section 3.2.2): another reader on the way may have routed by it.
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
        if isHTTP11, !fields.has(.host) { return .invalid(RequestFault(.hostMissing, at: fields.lineStart)) }
        head.byteCount = UInt32(end)
        head.framing = fields.framing
        head.keepsAlive = !fields.connection.hasClose && (isHTTP11 || fields.connection.hasKeepAlive)
        let hasBody = head.framing != .none && head.framing != .length(0)
        // Not beside a body: llhttp takes the body for what follows the upgrade, and so for a request of its own.
        head.hasUpgrade = isHTTP11 && !hasBody && fields.connection.hasUpgrade && fields.has(.upgrade)
        head.expectsContinue = isHTTP11 && hasBody && fields.has(.expect)
        return .complete
    }
}
