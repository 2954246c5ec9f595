// SPDX-License-Identifier: Apache-2.0
// Any bytes as the values of `Retry-After` that an endpoint refuses with, a line each: read as the slow reader does, and
// whatever they ask for, the endpoint keeps a share of its weight and gets the whole back.

import FuzzSupport
import WeirEventLoop
import WeirUpstream

private let second: Nanoseconds = 1_000_000_000

@c(LLVMFuzzerTestOneInput)
public func fuzzRetryAfter(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let pressure = BackPressure()
    var now = 1000 * second
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
        let value = ExactCopy(Array(line).span)
        let time = RetryAfter.read(value.span)
        precondition(time == slowRead(line), "another time")
        let before = pressure.share(at: now)
        pressure.refused(retryAfter: time, at: now)
        let share = pressure.share(at: now)
        precondition((BackPressure.shareMin...before).contains(share), "a share that is none, or more than before")
        let isHeld = pressure.share(at: now + min(time, BackPressure.holdMax)) <= share + 0.001
        precondition(isHeld, "more comes back than was asked for")
        now += Nanoseconds(line.count) * second / 20
    }
    precondition(pressure.share(at: now + BackPressure.holdMax + BackPressure.recovery + second) == 1, "it stays away")
    return 0
}

/// `delay-seconds = 1*DIGIT`, at most a day.
private func slowRead(_ value: ArraySlice<UInt8>) -> Nanoseconds {
    guard value.allSatisfy({ (0x30...0x39).contains($0) }) else { return 0 }
    let digits = String(decoding: value.drop { $0 == 0x30 }, as: UTF8.self)
    if digits.isEmpty { return 0 }
    return min(Nanoseconds(digits) ?? .max, RetryAfter.secondsMax) * second
}
