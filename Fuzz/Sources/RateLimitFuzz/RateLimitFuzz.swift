// SPDX-License-Identifier: Apache-2.0
// Any bytes as the text of rate limits: limits that can be run, each with a name of its own, or one fault in words.

import WeirFlow

@c(LLVMFuzzerTestOneInput)
public func fuzzRateLimit(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let text = unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do throws(RateLimitSyntaxError) {
        let limits = try RateLimitSyntax.parse(text)
        precondition(limits.count == text.utf8.count { $0 == UInt8(ascii: ",") } + 1, "an item is lost")
        precondition(Set(limits.map(\.name)).count == limits.count, "two limits have one name")
        for limit in limits { check(limit) }
    } catch {
        precondition(!error.description.isEmpty, "a fault without a word")
    }
    return 0
}

private func check(_ limit: RateLimit) {
    precondition(RateLimitSyntax.isName(limit.name), "a name that cannot be sent")
    precondition(Rate.amounts.contains(limit.rate.amount) && Rate.periods.contains(limit.rate.period))
    // Alone, whoever is counted: from rest one is let through, and so is one after the longest rest.
    let alone = RateLimit(name: limit.name, algorithm: limit.algorithm, rate: limit.rate, burst: limit.burst)
    let limiter = Limiter(alone, tableBytes: 0, now: 0)
    precondition(limiter.charge(key: 0, now: 0).isAllowed, "the first is refused")
    var allowed: UInt64 = 1
    while allowed <= 8, limiter.charge(key: 0, now: 0).isAllowed { allowed += 1 }
    precondition(allowed <= limit.burst, "more at once than the burst")
    precondition(allowed == min(limit.burst, 9), "less at once than the burst")
    // Ticks are rounded against the client: two windows may end a little later than two periods.
    precondition(limiter.charge(key: 0, now: 3 * Rate.periods.upperBound).isAllowed, "refused after years of rest")
}
