// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import Weir
import WeirFlow
import WeirHTTP

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
        let decisions = [
            Self.refused(1), LimitDecision(resetAfter: 90 * WeirFlow.Rate.second),
            Self.refused(5 * WeirFlow.Rate.second),
        ]
        let refusal = RateLimitRefusal(limits)
        let byteCount = refusal.byteCount(decisions.span)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        refusal.write(decisions.span, into: &writer)
        #expect(writer.count == byteCount && !writer.overflowed)
        let document = try JSONDecoder().decode(Document.self, from: Data(memory) + Data(#"7"}"#.utf8))
        #expect(
            document
                == Document(
                    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
                    title: "Request cannot be satisfied as assigned quota has been exceeded",
                    status: 429,
                    reason: "rate_limited",
                    violatedPolicies: ["a", "c"],
                    requestID: "7"
                )
        )
    }

    @Test(
        arguments: [
            ([1], 1), ([0], 1), ([999_999_999], 1), ([1_000_000_000], 1), ([1_000_000_001], 1), ([1_000_000_002], 2),
            ([3_000_000_000, 1], 3), ([1, 3_000_000_000], 3),
        ] as [([UInt64], UInt64)]
    )
    func `the time to come again is the longest, in whole seconds, and at least one`(waits: [UInt64], seconds: UInt64) {
        let decisions = waits.map(Self.refused)
        let found = RateLimitRefusal.retryAfter(decisions.span)
        #expect(found == seconds)
    }

    @Test func `there is none where the request costs more than a quota`() {
        let decisions = [Self.refused(1), Self.refused(LimitDecision.never)]
        let seconds = RateLimitRefusal.retryAfter(decisions.span)
        #expect(seconds == nil)
    }
}
