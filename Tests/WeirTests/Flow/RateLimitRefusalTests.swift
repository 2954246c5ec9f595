// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import Weir
import WeirFlow

@Suite struct RateLimitRefusalTests {
    private struct Document: Decodable, Equatable {
        let type: String
        let title: String
        let status: Int
        let reason: String
        let violatedPolicies: [String]
        let requestID: String

        enum CodingKeys: String, CodingKey {
            case type, title, status, reason
            case violatedPolicies = "violated-policies"
            case requestID = "request_id"
        }
    }

    private static func refused(_ wait: UInt64) -> LimitDecision {
        LimitDecision(isAllowed: false, retryAfter: wait, resetAfter: wait)
    }

    @Test func `it names the limits that refused, and nothing of those that did not`() throws {
        let limits = try RateLimitSyntax.parse(#"1/s;name=a,2/s;name=b,3/s;name=c"#)
        let decisions = [Self.refused(1), LimitDecision(resetAfter: 90 * Rate.second), Self.refused(5 * Rate.second)]
        let response = RateLimitRefusal.response(limits, decisions.span, requestID: "id \"7\"")
        #expect(response.status == .tooManyRequests)
        #expect(response.mediaType == "application/problem+json")
        #expect(response.headers["Retry-After"] == "5")
        let document = try JSONDecoder().decode(Document.self, from: Data(try #require(response.bytes)))
        #expect(
            document
                == Document(
                    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
                    title: "Request cannot be satisfied as assigned quota has been exceeded",
                    status: 429,
                    reason: "rate_limited",
                    violatedPolicies: ["a", "c"],
                    requestID: "id \"7\""
                )
        )
    }

    @Test(
        arguments: [
            ([1], 1), ([0], 1), ([999_999_999], 1), ([1_000_000_000], 1), ([1_000_000_001], 2),
            ([3_000_000_000, 1], 3), ([1, 3_000_000_000], 3),
        ] as [([UInt64], UInt64)]
    )
    func `the time to come again is the longest, in whole seconds, and at least one`(waits: [UInt64], seconds: UInt64) {
        let decisions = waits.map(Self.refused)
        let found = RateLimitRefusal.retryAfter(decisions.span)
        #expect(found == seconds)
    }

    @Test func `there is none where the request costs more than a quota`() throws {
        let decisions = [Self.refused(1), Self.refused(LimitDecision.never)]
        let seconds = RateLimitRefusal.retryAfter(decisions.span)
        #expect(seconds == nil)
        let limits = try RateLimitSyntax.parse("1/s,2/s")
        let response = RateLimitRefusal.response(limits, decisions.span, requestID: "1")
        #expect(response.headers.isEmpty)
    }
}
