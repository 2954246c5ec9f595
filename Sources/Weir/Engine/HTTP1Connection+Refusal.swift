// SPDX-License-Identifier: Apache-2.0
// Refusals, written straight into the output: under overload they are most of the answers, and one must cost no more
// than the shortest handler.

import WeirEventLoop
import WeirFlow
import WeirHTTP

extension HTTP1Connection {
    /// What a refusal's problem document says beside the request's id (RFC 9457).
    private struct Document {
        let status: Int
        /// From the opening brace to the quotes of the id.
        let text: StaticString

        init(_ reason: AccessReason) {
            switch reason {
            case .queueFull:
                status = 503
                text = """
                    {"type":"about:blank","title":"Service Unavailable","status":503,\
                    "detail":"the queue is full","reason":"queue_full","request_id":"
                    """
            case .memory:
                status = 503
                text = """
                    {"type":"about:blank","title":"Service Unavailable","status":503,\
                    "detail":"memory is short","reason":"memory","request_id":"
                    """
            case .deadlineUnmeetable:
                status = 503
                text = """
                    {"type":"about:blank","title":"Service Unavailable","status":503,\
                    "detail":"it would not be served before its deadline","reason":"deadline_unmeetable","request_id":"
                    """
            case .deadlineExceeded:
                status = 504
                text = """
                    {"type":"about:blank","title":"Gateway Timeout","status":504,\
                    "detail":"its deadline has passed","reason":"deadline_exceeded","request_id":"
                    """
            default:
                status = 503
                text = """
                    {"type":"about:blank","title":"Service Unavailable","status":503,"request_id":"
                    """
            }
        }
    }

    /// Answers a request that may not run.
    func respondRefusal(_ exchange: Exchange, _ refusal: AdmissionRefused) {
        guard preparesResponse(exchange) else { return }
        let document = Document(refusal.reason)
        writeDocument(exchange, document.status, document.text) { writer in
            guard document.status == 503 else { return }
            writer.field("Retry-After", integer: UInt64(refusal.retryAfterSeconds))
        }
    }

    /// Answers a request that a rate limit refused.
    func respondLimited(_ exchange: Exchange, _ limits: RouteLimits, _ refused: Int) {
        guard preparesResponse(exchange) else { return }
        let text: StaticString = """
            {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too Many Requests",\
            "status":429,"detail":"the rate limit is reached","reason":"rate_limited","request_id":"
            """
        let wait = exchange.limitDecisions[refused].retryAfter
        writeDocument(exchange, 429, text) { writer in
            writer.field("Retry-After", integer: max(1, (min(wait, 86_400_000_000_000) + 999_999_999) / 1_000_000_000))
        }
    }

    /// Writes a head and a problem document that ends with the request's id.
    private func writeDocument(
        _ exchange: Exchange,
        _ status: Int,
        _ text: StaticString,
        fields: (inout HeadWriter) -> Void
    ) {
        giveUpBody(exchange)
        let id = exchange.plainRequestID
        let end: StaticString = "\"}\n"
        let count = text.utf8CodeUnitCount + (id?.count ?? 16) + end.utf8CodeUnitCount
        var writer = HeadWriter(loop.reserveOutput(channel, Self.refusalBytesMax))
        owner.beginHead(status, into: &writer)
        writer.raw("Content-Type: application/problem+json\r\n")
        writer.contentLength(UInt64(count))
        fields(&writer)
        if isLast {
            writer.raw("Connection: close\r\n")
        } else if exchange.parser.pointee.head.minorVersion == 0 {
            writer.raw("Connection: keep-alive\r\n")
        }
        writer.end()
        if !exchange.isHead {
            writer.raw(text)
            if let id { writer.raw(id) } else { writer.fixedHexadecimal(exchange.sequence) }
            writer.raw(end)
            exchange.bodyBytesOut = UInt64(count)
        }
        precondition(!writer.overflowed, "a refusal's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.status = UInt16(status)
        finishOutput(exchange)
    }

    /// Status line, Date and the other fields, the document and an id of at most 128 bytes.
    private static let refusalBytesMax = 2048
}

extension Exchange {
    /// The client's own id where it can stand in a JSON string as it is; nil for the number that we gave.
    fileprivate var plainRequestID: UnsafeRawBufferPointer? {
        guard let given = givenRequestID else { return nil }
        return given.contains { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") } ? nil : given
    }
}
