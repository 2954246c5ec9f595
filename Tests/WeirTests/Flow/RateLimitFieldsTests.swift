// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirFlow
import WeirHTTP
import WeirTestSupport

@Suite struct RateLimitFieldsTests {
    private static let second = Rate.second

    /// What the fields say, without the names; nil where they did not fit.
    private static func written(
        _ limits: String,
        _ decisions: [LimitDecision],
        route: String? = nil,
        capacity: Int? = nil
    ) throws -> String? {
        let fields = RateLimitFields(try RateLimitSyntax.parse(limits), route: route)
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: capacity ?? fields.byteCountMax,
            alignment: 1
        )
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        fields.write(decisions.span, into: &writer)
        return writer.overflowed ? nil : String(decoding: memory[..<writer.count], as: UTF8.self)
    }

    @Test(arguments: [
        ("100/m", #""total";q=100;w=60"#),
        ("5/m;burst=2;by=client", #""client";q=2;w=24"#),
        ("100/s;burst=20", #""total";q=20;w=1"#),
        ("100/s;burst=101", #""total";q=101;w=2"#),
        ("1/365d", #""total";q=1;w=31536000"#),
        ("3/s;burst=1", #""total";q=1;w=1"#),
        ("7/90s;algorithm=sliding-window", #""total";q=7;w=90"#),
        ("1000000000/s;algorithm=token-bucket", #""total";q=1000000000;w=1"#),
        ("2/s;by=header:X-Api-Key,100/h;name=hourly", #""header";q=2;w=1, "hourly";q=100;w=3600"#),
    ])
    func `a policy is the burst, and the time in which it comes back`(limits: String, policy: String) throws {
        let count = limits.split(separator: ",").count
        let text = try Self.written(limits, [LimitDecision](repeating: LimitDecision(), count: count))
        #expect(text?.hasPrefix("RateLimit-Policy: \(policy)\r\nRateLimit: ") == true, "\(text ?? "")")
    }

    @Test(arguments: [
        (LimitDecision(remaining: 12, resetAfter: 3 * second), "r=12;t=3"),
        (LimitDecision(remaining: 12, resetAfter: 3 * second + 1), "r=12;t=3"),
        (LimitDecision(remaining: 12, resetAfter: 3 * second + 2), "r=12;t=4"),
        (LimitDecision(remaining: 1, resetAfter: 1), "r=1;t=1"),
        (LimitDecision(remaining: 2, resetAfter: 0), "r=2;t=0"),
        (LimitDecision(isAllowed: false, remaining: 0, retryAfter: 12 * second, resetAfter: 24 * second), "r=0;t=12"),
        (LimitDecision(isAllowed: false, remaining: 3, retryAfter: LimitDecision.never, resetAfter: second), "r=3"),
        (LimitDecision(remaining: 1_000_000_000, resetAfter: 31_536_000 * second), "r=1000000000;t=31536000"),
    ])
    func `what is left is said in whole seconds, rounded up`(decision: LimitDecision, state: String) throws {
        let text = try Self.written("5/m;burst=2", [decision])
        #expect(text == "RateLimit-Policy: \"total\";q=2;w=24\r\nRateLimit: \"total\";\(state)\r\n")
    }

    @Test func `several limits are members of one list, in their order`() throws {
        let text = try Self.written(
            "10/s;name=short,100/m;name=long",
            [LimitDecision(remaining: 9, resetAfter: 1), LimitDecision(remaining: 40, resetAfter: 36 * Self.second)]
        )
        #expect(
            text == """
                RateLimit-Policy: "short";q=10;w=1, "long";q=100;w=60\r
                RateLimit: "short";r=9;t=1, "long";r=40;t=36\r

                """
        )
    }

    @Test(arguments: ["none", "client", "host", "header:Authorization", "param:user"])
    func `no key but the route's is told`(key: String) throws {
        let text = try #require(try Self.written("1/s;by=\(key)", [LimitDecision()], route: "/users/:id"))
        #expect(!text.contains("pk="))
    }

    @Test func `the key of a limit by route is its pattern, where it is for one`() throws {
        // printf %s /users/:id | base64
        let told = try Self.written("1/s;by=route", [LimitDecision(remaining: 1)], route: "/users/:id")
        #expect(
            told == """
                RateLimit-Policy: "route";pk=:L3VzZXJzLzppZA==:;q=1;w=1\r
                RateLimit: "route";pk=:L3VzZXJzLzppZA==:;r=1;t=0\r

                """
        )
        let shared = try #require(try Self.written("1/s;by=route", [LimitDecision(remaining: 1)]))
        #expect(!shared.contains("pk="))
    }

    @Test func `quotes and backslashes of a name are escaped`() {
        let fields = RateLimitFields([RateLimit(name: #"a "b" \c"#, rate: .perSecond(1))])
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: fields.byteCountMax, alignment: 1)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        let decisions = [LimitDecision(remaining: 1)]
        fields.write(decisions.span, into: &writer)
        #expect(
            String(decoding: memory[..<writer.count], as: UTF8.self)
                == #"RateLimit-Policy: "a \"b\" \\c";q=1;w=1"# + "\r\n" + #"RateLimit: "a \"b\" \\c";r=1;t=0"# + "\r\n"
        )
    }

    /// The first parameter of this name.
    private static func parameter(_ name: String, of field: String) -> UInt64? {
        let parameters = field.split(whereSeparator: { $0 == ";" || $0 == "\r\n" })
        return parameters.first { $0.hasPrefix("\(name)=") }.flatMap { UInt64($0.dropFirst(name.count + 1)) }
    }

    @Test func `the largest numbers fit what is asked for, and one byte less is too few for what is written`() throws {
        let most = LimitDecision(remaining: .max, resetAfter: .max - 1)
        let whole = try #require(try Self.written("1/s,2/s", [most, most]))
        #expect(whole.contains("r=18446744073709551615;t=18446744074"))
        #expect(try Self.written("1/s,2/s", [most, most], capacity: whole.utf8.count) == whole)
        #expect(try Self.written("1/s,2/s", [most, most], capacity: whole.utf8.count - 1) == nil)
    }

    /// A client that keeps to the policy alone, and asks as early and as often as that lets it.
    @Test(arguments: ["5/m;burst=2", "100/s;burst=20", "7/3s;burst=9", "3/s;burst=1", "10/s;algorithm=token-bucket"])
    func `who sends no more than the quota in any window is never refused`(text: String) throws {
        let limit = try #require(try RateLimitSyntax.parse(text).first)
        let policy = try #require(try Self.written(text, [LimitDecision()]))
        let quota = Int(try #require(Self.parameter("q", of: policy)))
        let window = try #require(Self.parameter("w", of: policy)) * Self.second
        var generator = SeededGenerator(seed: 7)
        let limiter = Limiter(limit, tableBytes: 64, now: 0)
        var now: UInt64 = 0
        var sent: [UInt64] = []
        for index in 0..<5000 {
            // At times it rests a while, so that its bursts begin anywhere.
            if generator.next() % 8 == 0 { now += generator.next() % (2 * window) }
            // Both ends of a window count, so the next begins a nanosecond after it.
            if index >= quota { now = max(now, sent[index - quota] + window + 1) }
            sent.append(now)
            #expect(limiter.take(key: 0, now: now).isAllowed, "the \(index). at \(now)")
        }
    }
}
