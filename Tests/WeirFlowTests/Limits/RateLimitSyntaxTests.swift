// SPDX-License-Identifier: Apache-2.0
// The text of rate limits, right and wrong.

import Testing
import WeirFlow

@Suite struct RateLimitSyntaxTests {
    @Test(
        "A text is read as the limits it says",
        arguments: [
            ("100/s", [RateLimit(name: "total", rate: .perSecond(100))]),
            ("100/s;burst=20;by=client", [RateLimit(name: "client", rate: .perSecond(100), burst: 20, key: .client)]),
            (
                " 5 / 10m ; burst = 2 ",
                [RateLimit(name: "total", rate: Rate(amount: 5, period: 600 * Rate.second), burst: 2)]
            ),
            ("1/h;by=host", [RateLimit(name: "host", rate: .perHour(1), key: .host)]),
            ("7/d;by=route;name=per day", [RateLimit(name: "per day", rate: .perDay(7), key: .route)]),
            ("1/365d;by=none", [RateLimit(name: "total", rate: Rate(amount: 1, period: Rate.periods.upperBound))]),
            ("1000000000/s", [RateLimit(name: "total", rate: .perSecond(1_000_000_000))]),
            ("9/s;by=header:X-Key", [RateLimit(name: "header", rate: .perSecond(9), key: .header("x-key"))]),
            ("9/s;by=param:userId", [RateLimit(name: "param", rate: .perSecond(9), key: .parameter("userId"))]),
            ("9/m;algorithm=gcra", [RateLimit(name: "total", rate: .perMinute(9))]),
            (
                "9/m;algorithm=token-bucket;burst=1",
                [RateLimit(name: "total", algorithm: .tokenBucket, rate: .perMinute(9), burst: 1)]
            ),
            (
                "131071/s;algorithm=sliding-window",
                [RateLimit(name: "total", algorithm: .slidingWindow, rate: .perSecond(131_071))]
            ),
            (
                "1/s;by=client,2/s;by=client,3/s;name=client,4/s",
                [
                    RateLimit(name: "client-2", rate: .perSecond(1), key: .client),
                    RateLimit(name: "client-3", rate: .perSecond(2), key: .client),
                    RateLimit(name: "client", rate: .perSecond(3)), RateLimit(name: "total", rate: .perSecond(4)),
                ]
            ),
        ]
    )
    func right(text: String, limits: [RateLimit]) throws {
        #expect(try RateLimitSyntax.parse(text) == limits)
    }

    @Test(
        "A wrong text is refused with what is wrong and where",
        arguments: [
            ("", .emptyItem, 1, nil, ""), ("1/s,", .emptyItem, 2, nil, ""), ("1/s, ,2/s", .emptyItem, 2, nil, ""),
            ("100", .malformedRate, 1, nil, "100"), ("x/s", .malformedRate, 1, nil, "x/s"),
            ("-1/s", .malformedRate, 1, nil, "-1/s"), ("1.5/s", .malformedRate, 1, nil, "1.5/s"),
            ("1/", .malformedRate, 1, nil, "1/"), ("/s", .malformedRate, 1, nil, "/s"),
            ("1/s/s", .malformedRate, 1, nil, "1/s/s"), ("1/xs", .malformedRate, 1, nil, "1/xs"),
            (";burst=1", .malformedRate, 1, nil, ""), ("１/s", .malformedRate, 1, nil, "１/s"),
            ("1/10", .unknownUnit, 1, nil, "1/10"), ("1/w", .unknownUnit, 1, nil, "1/w"),
            ("0/s", .amountOutOfRange, 1, nil, "0/s"), ("1000000001/s", .amountOutOfRange, 1, nil, "1000000001/s"),
            ("99999999999999999999999/s", .amountOutOfRange, 1, nil, "99999999999999999999999/s"),
            ("1/0s", .periodOutOfRange, 1, nil, "1/0s"), ("1/366d", .periodOutOfRange, 1, nil, "1/366d"),
            ("1/99999999999999999999d", .periodOutOfRange, 1, nil, "1/99999999999999999999d"),
            ("1/s;rate=3", .unknownOption, 1, "rate", "3"), ("1/s;=3", .unknownOption, 1, "", "3"),
            ("1/s;burst=1;burst=1", .repeatedOption, 1, "burst", "1"),
            ("1/s;burst", .missingValue, 1, "burst", "burst"), ("1/s;burst=", .missingValue, 1, "burst", ""),
            ("1/s;", .missingValue, 1, "", ""),
            ("2/s,1/s;burst=x", .malformedBurst, 2, "burst", "x"), ("1/s;burst=-1", .malformedBurst, 1, "burst", "-1"),
            ("1/s;burst=0", .burstOutOfRange, 1, "burst", "0"),
            ("1/s;burst=1000000001", .burstOutOfRange, 1, "burst", "1000000001"),
            ("1/d;burst=366", .burstRefillsTooSlowly, 1, "burst", "366"),
            ("1/s;algorithm=sliding-window;burst=1", .burstOfSlidingWindow, 1, "burst", "1"),
            ("131072/s;algorithm=sliding-window", .amountOfSlidingWindow(most: 131_071), 1, nil, "131072/s"),
            ("1/s;by=clients", .unknownKey, 1, "by", "clients"), ("1/s;by=cookie:a", .unknownKey, 1, "by", "cookie:a"),
            ("1/s;by=header:", .malformedHeaderName, 1, "by", "header:"),
            ("1/s;by=header:a b", .malformedHeaderName, 1, "by", "header:a b"),
            ("1/s;by=param:", .malformedParameterName, 1, "by", "param:"),
            ("1/s;by=param:é", .malformedParameterName, 1, "by", "param:é"),
            ("1/s;algorithm=GCRA", .unknownAlgorithm, 1, "algorithm", "GCRA"),
            ("1/s;name=a\"b", .malformedName, 1, "name", "a\"b"), ("1/s;name=a\\b", .malformedName, 1, "name", "a\\b"),
            ("1/s;name=é", .malformedName, 1, "name", "é"),
            (
                "1/s;name=\(String(repeating: "n", count: 65))", .malformedName, 1, "name",
                String(repeating: "n", count: 65)
            ),
            ("1/s;name=a,2/s,3/s;name=a", .repeatedName(item: 1), 3, "name", "a"),
        ] as [(String, RateLimitSyntaxError.Problem, Int, String?, String)]
    )
    func wrong(text: String, problem: RateLimitSyntaxError.Problem, item: Int, option: String?, found: String) {
        #expect(throws: RateLimitSyntaxError(problem, item: item, option: option, text: found)) {
            try RateLimitSyntax.parse(text)
        }
    }

    @Test("An error says where it is and what would be right")
    func description() {
        let error = RateLimitSyntaxError(.burstOutOfRange, item: 2, option: "burst", text: "0")
        #expect(error.description == "item 2, option burst, `0`: the burst must be 1 to 1000000000")
    }
}
