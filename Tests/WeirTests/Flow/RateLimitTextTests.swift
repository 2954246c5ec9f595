// SPDX-License-Identifier: Apache-2.0
// A limit's text, as `/config` and `weir check` show it, reads back as the same limit.

import Testing
import Weir

@Suite struct RateLimitTextTests {
    @Test(arguments: [
        ("100/s", "100/s;name=total"),
        ("100/1s;burst=100", "100/s;name=total"),
        ("100/s;burst=20;by=client", "100/s;burst=20;by=client;name=client"),
        ("1/60s", "1/m;name=total"),
        ("1/90s", "1/90s;name=total"),
        ("7/120m", "7/2h;name=total"),
        ("7/24h", "7/d;name=total"),
        ("1000000000/365d", "1000000000/365d;name=total"),
        ("5/m;algorithm=sliding-window;by=route", "5/m;by=route;algorithm=sliding-window;name=route"),
        ("5/m;algorithm=token-bucket;by=host;burst=1", "5/m;burst=1;by=host;algorithm=token-bucket;name=host"),
        ("5/h;by=header:X-Api-Key", "5/h;by=header:x-api-key;name=header"),
        ("5/h;by=param:id;name=per user", "5/h;by=param:id;name=per user"),
        ("1/s,2/s", "1/s;name=total,2/s;name=total-2"),
    ])
    func `a text has one form, which reads back as the same`(text: String, form: String) throws {
        let limits = try RateLimit.list(text)
        #expect(limits.map(\.description).joined(separator: ",") == form)
        #expect(try RateLimit.list(form) == limits)
    }

    @Test func `what code says reads back as the same`() throws {
        let limits: [RateLimit] = [
            .gcra(.perSecond(100), burst: 20), .tokenBucket(.perMinute(3)), .slidingWindow(.perHour(7)),
            .gcra(Rate(1, per: .seconds(86400 * 365))),
        ]
        for limit in limits { #expect(try RateLimit.list(limit.description).map(\.description) == [limit.description]) }
    }

    @Test(arguments: ["", "100", "0/s", "1/0s", "1/s;burst=0", "1/s;by=moon", "1/s,,1/s", "1/s;name=a,2/s;name=a"])
    func `a fault names the text and what is expected`(text: String) {
        let error = #expect(throws: SettingsError.self) { try RateLimit.list(text) }
        #expect(error?.description.hasPrefix("rate limit=\"") == true)
    }
}
