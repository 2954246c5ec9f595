// SPDX-License-Identifier: Apache-2.0
// The answer to a request that a rate limit refused: 429 with a problem document and the time to come again. Pure.

package import WeirFlow

/// Puts the refusal together from what the limits decided.
package enum RateLimitRefusal {
    /// The document has the problem type of draft-ietf-httpapi-ratelimit-headers-10 section 5.1, beside the members of
    /// every refusal of ours. The fields of `RateLimitFields` are not in it: they go with every answer.
    ///
    /// - Parameters:
    ///   - limits: What the request counted against.
    ///   - decisions: One for each limit, in their order; at least one refused.
    ///   - requestID: As the log says it.
    package static func response(
        _ limits: [RateLimit],
        _ decisions: Span<LimitDecision>,
        requestID: String
    ) -> Response {
        var json = JSONWriter()
        json.append(#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"#)
        json.append(string: "Request cannot be satisfied as assigned quota has been exceeded")
        json.append(#","status":429,"reason":"#)
        json.append(string: "\(AccessReason.rateLimited.name)")
        json.append(#","violated-policies":["#)
        var separator = ""
        for index in limits.indices where !decisions[index].isAllowed {
            json.append(separator)
            json.append(string: limits[index].name)
            separator = ","
        }
        json.append(#"],"request_id":"#)
        json.append(string: requestID)
        json.append("}\n")
        var response = Response(status: .tooManyRequests, contentType: .problem, body: .bytes(json.bytes))
        if let seconds = retryAfter(decisions) { response.headers["Retry-After"] = "\(seconds)" }
        return response
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
