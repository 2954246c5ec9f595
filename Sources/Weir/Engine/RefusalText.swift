// SPDX-License-Identifier: Apache-2.0
// What a pool's refusals say, and the last one as a loop has written it. On the loop's thread.

import WeirEventLoop
import WeirHTTP

/// What a refusal's problem document says beside the request's id (RFC 9457).
struct RefusalDocument {
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
        case .descriptors:
            status = 503
            text = """
                {"type":"about:blank","title":"Service Unavailable","status":503,\
                "detail":"too many files are open","reason":"descriptors","request_id":"
                """
        case .degraded:
            status = 503
            text = """
                {"type":"about:blank","title":"Service Unavailable","status":503,\
                "detail":"the route is slower than usual","reason":"degraded","request_id":"
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

/// The whole answer of the last refusal up to the request's id: within a second, which is what Date says, and for one
/// reason and wait all have the same words, and under overload they are most of the answers.
final class RefusalText {
    /// Closes the id and the document.
    static let end: StaticString = "\"}\n"
    /// An id of our own, and `end`.
    static let endByteCount = 16 + 3
    private static let byteCountMax = 1024

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCountMax, alignment: 16)
    private var count = 0
    private var reason = AccessReason.none
    private var retryAfterSeconds = 0
    private var writtenUntil: Nanoseconds = 0
    private(set) var status = 0
    /// With the id and what closes it.
    private(set) var bodyByteCount = 0

    deinit {
        memory.deallocate()
    }

    /// Head and body up to the id; valid until the next call.
    func bytes(of refusal: AdmissionRefused, on owner: ServerLoop) -> UnsafeRawBufferPointer {
        if refusal.reason != reason || refusal.retryAfterSeconds != retryAfterSeconds || owner.loop.now >= writtenUntil
        {
            write(refusal, owner)
        }
        return UnsafeRawBufferPointer(rebasing: memory[..<count])
    }

    private func write(_ refusal: AdmissionRefused, _ owner: ServerLoop) {
        let document = RefusalDocument(refusal.reason)
        bodyByteCount = document.text.utf8CodeUnitCount + Self.endByteCount
        status = document.status
        var writer = HeadWriter(memory)
        owner.beginHead(status, into: &writer)
        writer.raw("Content-Type: application/problem+json\r\n")
        writer.contentLength(UInt64(bodyByteCount))
        if status == 503 { writer.field("Retry-After", integer: UInt64(refusal.retryAfterSeconds)) }
        writer.end()
        writer.raw(document.text)
        precondition(!writer.overflowed, "a refusal longer than refusals are")
        count = writer.count
        reason = refusal.reason
        retryAfterSeconds = refusal.retryAfterSeconds
        // The Date field was just written, or holds.
        writtenUntil = owner.dateUntil
    }
}
