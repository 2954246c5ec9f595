// SPDX-License-Identifier: Apache-2.0
// The fields that decide where a response ends and what becomes of its connection.

extension ResponseParser {
    /// Takes in the last field as soon as its line is whole, so that a fault shows as early as it can.
    @inline(__always)
    mutating func note(_ name: HeaderName, in bytes: Span<UInt8>, isRepeated: Bool) -> ResponseFault? {
        switch name {
        case .contentLength: return noteContentLength(in: bytes, isRepeated: isRepeated)
        case .transferEncoding: return noteTransferEncoding(in: bytes, isRepeated: isRepeated)
        case .connection: return fields.noteConnection(in: bytes).map { ResponseFault($0) }
        default: return nil
        }
    }

    /// 1xx and 204: there is no body, and there may be no word of one.
    private var forbidsBody: Bool { head.status < 200 || head.status == 204 }

    /// RFC 9110 section 8.6 forbids it in 1xx and 204. Many servers send a 0 with 204, which says what is true; behind
    /// any other length some would send a body that no reader expects.
    private mutating func noteContentLength(in bytes: Span<UInt8>, isRepeated: Bool) -> ResponseFault? {
        if let fault = fields.noteContentLength(in: bytes, isRepeated: isRepeated) { return ResponseFault(fault) }
        if forbidsBody, fields.framing != .length(0) {
            return ResponseFault(.lengthNotAllowed, at: Int(fields.last.value.start))
        }
        return nil
    }

    /// RFC 9112 section 6.1. With HEAD and 304 it is allowed: it says how the body would have come.
    private mutating func noteTransferEncoding(in bytes: Span<UInt8>, isRepeated: Bool) -> ResponseFault? {
        if forbidsBody { return ResponseFault(.codingNotAllowed, at: Int(fields.last.name.start)) }
        let minorVersion = head.minorVersion
        return fields.noteTransferEncoding(in: bytes, isRepeated: isRepeated, minorVersion: minorVersion)
            .map { ResponseFault($0) }
    }

    /// Draws the conclusions at the empty line.
    mutating func finish(endingAt end: Int, _ method: HTTPMethod) -> ResponseOutcome {
        let isHTTP11 = head.minorVersion == 1
        head.byteCount = UInt32(end)
        head.hasUpgrade = isHTTP11 && fields.connection.hasUpgrade && fields.has(.upgrade)
        if head.status == 101, !head.hasUpgrade {
            return .invalid(ResponseFault(.upgradeMissing, at: fields.lineStart))
        }
        if case .length(let length) = fields.framing { head.contentLength = length }
        head.framing = framing(answering: method)
        let isBounded = head.framing != .untilClose && head.framing != .tunnel
        head.keepsAlive =
            isBounded && !fields.connection.hasClose && (isHTTP11 || fields.connection.hasKeepAlive)
        if forbidsBody || head.framing == .tunnel { fields.withheld.insert(.contentLength) }
        return .complete
    }

    /// RFC 9112 section 6.3, in its order.
    private func framing(answering method: HTTPMethod) -> ResponseFraming {
        let status = head.status
        if status == 101 || method == .connect && status / 100 == 2 { return .tunnel }
        if method == .head || status < 200 || status == 204 || status == 304 { return .none }
        switch fields.framing {
        case .chunked: return .chunked
        case .length(let length): return .length(length)
        case .none: return .untilClose
        }
    }
}
