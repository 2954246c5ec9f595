// SPDX-License-Identifier: Apache-2.0
// Refusals, written straight into the output: under overload they are most of the answers, and one must cost no more
// than the shortest handler.

import WeirEventLoop
import WeirFlow
import WeirHTTP

extension HTTP1Connection {
    /// Answers a request that may not run.
    func respondRefusal(_ exchange: Exchange, _ refusal: AdmissionRefused) {
        guard preparesResponse(exchange) else { return }
        giveUpBody(exchange)
        if respondAlike(exchange, refusal) { return }
        let document = RefusalDocument(refusal.reason)
        writeDocument(exchange, document.status, byteCount: document.text.utf8CodeUnitCount) { writer in
            if document.status == 503 { writer.field("Retry-After", integer: UInt64(refusal.retryAfterSeconds)) }
        } body: { writer in
            writer.raw(document.text)
        }
    }

    /// Answers with the text that the loop keeps, where nothing but the id is this request's own; else answers false.
    private func respondAlike(_ exchange: Exchange, _ refusal: AdmissionRefused) -> Bool {
        guard !isLast, exchange.parser.pointee.head.minorVersion > 0, !exchange.isHead, !exchange.hasRewrites,
            exchange.givenRequestID == nil, !isTransportStrict
        else { return false }
        let text = owner.refusalText
        let bytes = text.bytes(of: refusal, on: owner)
        var writer = HeadWriter(loop.reserveOutput(channel, bytes.count + RefusalText.endByteCount))
        writer.raw(bytes)
        writer.fixedHexadecimal(exchange.sequence)
        writer.raw(RefusalText.end)
        precondition(!writer.overflowed, "a refusal's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.bodyBytesOut = UInt64(text.bodyByteCount)
        exchange.status = UInt16(text.status)
        finishOutput(exchange)
        return true
    }

    /// Answers a request that a rate limit refused.
    func respondLimited(_ exchange: Exchange, _ limits: RouteLimits) {
        guard preparesResponse(exchange) else { return }
        giveUpBody(exchange)
        let byteCount = limits.refusal.byteCount(limits.decisions(exchange))
        writeDocument(exchange, 429, byteCount: byteCount, extra: limits.fields.byteCountMax) { writer in
            if let seconds = RateLimitRefusal.retryAfter(limits.decisions(exchange)) {
                writer.field("Retry-After", integer: seconds)
            }
            limits.writeFields(exchange, into: &writer)
        } body: { writer in
            limits.refusal.write(limits.decisions(exchange), into: &writer)
        }
    }

    /// Writes a head and a problem document, to which the request's id is added.
    private func writeDocument(
        _ exchange: Exchange,
        _ status: Int,
        byteCount: Int,
        extra: Int = 0,
        fields: (inout HeadWriter) -> Void,
        body: (inout HeadWriter) -> Void
    ) {
        let id = exchange.plainRequestID
        let end = RefusalText.end
        let count = byteCount + (id?.count ?? 16) + end.utf8CodeUnitCount
        var room = Self.refusalHeadBytesMax + extra + count
        withStrictTransport { room += $0.addedByteCount }
        exchange.withRewrites { room += $0.response.addedByteCount }
        var writer = HeadWriter(loop.reserveOutput(channel, room))
        owner.beginHead(status, into: &writer)
        writer.raw("Content-Type: application/problem+json\r\n")
        writer.contentLength(UInt64(count))
        fields(&writer)
        if isLast {
            writer.raw("Connection: close\r\n")
        } else if exchange.parser.pointee.head.minorVersion == 0 {
            writer.raw("Connection: keep-alive\r\n")
        }
        withStrictTransport { writer.edit($0) }
        exchange.withRewrites { writer.edit($0.response) }
        writer.end()
        if !exchange.isHead {
            body(&writer)
            if let id { writer.raw(id) } else { writer.fixedHexadecimal(exchange.sequence) }
            writer.raw(end)
            exchange.bodyBytesOut = UInt64(count)
        }
        precondition(!writer.overflowed, "a refusal's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.status = UInt16(status)
        finishOutput(exchange)
    }

    /// Status line, Date, type, length, Retry-After and Connection.
    private static let refusalHeadBytesMax = 512
}

extension Exchange {
    /// The client's own id where it can stand in a JSON string as it is; nil for the number that we gave.
    fileprivate var plainRequestID: UnsafeRawBufferPointer? {
        guard let given = givenRequestID else { return nil }
        return given.contains { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") } ? nil : given
    }
}
