// SPDX-License-Identifier: Apache-2.0
// The answer to a request that a rate limit refused: 429 with a problem document and the time to come again. Pure.

package import WeirFlow
package import WeirHTTP

/// The refusals of a route's limits. The document has the problem type of draft-ietf-httpapi-ratelimit-headers-10
/// section 5.1, beside the members of every refusal of ours.
package struct RateLimitRefusal: Sendable {
    private static let opening: StaticString = """
        {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",\
        "title":"Request cannot be satisfied as assigned quota has been exceeded",\
        "status":429,"reason":"rate_limited","violated-policies":[
        """
    private static let closing: StaticString = "],\"request_id\":\""

    /// The limits' names in quotes. They need no escape: see `RateLimitSyntax.isName`.
    private let names: [[UInt8]]
    /// The document up to the request's id where there is one limit, which nearly all routes have: it is always the same.
    private let ofOnly: [UInt8]?

    package init(_ limits: [WeirFlow.RateLimit]) {
        names = limits.map { Array("\"\($0.name)\"".utf8) }
        ofOnly = limits.count == 1 ? Array("\(Self.opening)\"\(limits[0].name)\"\(Self.closing)".utf8) : nil
    }

    /// The document up to the quotes of the request's id: how many bytes it has.
    package func byteCount(_ decisions: Span<LimitDecision>) -> Int {
        if let ofOnly { return ofOnly.count }
        var count = Self.opening.utf8CodeUnitCount + Self.closing.utf8CodeUnitCount
        var refusedCount = 0
        for index in names.indices where !decisions[index].isAllowed {
            count += names[index].count
            refusedCount += 1
        }
        return count + max(0, refusedCount - 1)
    }

    /// Writes what `byteCount` counts. Allocates nothing.
    package func write(_ decisions: Span<LimitDecision>, into writer: inout HeadWriter) {
        if let ofOnly { return writer.raw(ofOnly.span) }
        writer.raw(Self.opening)
        var isFirst = true
        for index in names.indices where !decisions[index].isAllowed {
            if !isFirst { writer.raw(",") }
            isFirst = false
            let name = names[index]
            writer.raw(name.span)
        }
        writer.raw(Self.closing)
    }

    /// Seconds after which all that refused would allow the request, if nobody else takes: at least 1, so that nobody
    /// comes again at once. Nil where one never will, as the request costs more than its quota: to come again is then
    /// useless at any time, and a date would say otherwise.
    package static func retryAfter(_ decisions: Span<LimitDecision>) -> UInt64? {
        var longest: Nanoseconds = 0
        for index in decisions.indices where !decisions[index].isAllowed {
            longest = max(longest, decisions[index].retryAfter)
        }
        return longest == LimitDecision.never ? nil : max(1, LimitDecision.seconds(longest))
    }
}
