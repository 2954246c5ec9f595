// SPDX-License-Identifier: Apache-2.0
// Any bytes as a response's head: however they arrive, the outcome is the same, and what is accepted and passed on
// keeps its promises.

import FuzzSupport
import WeirHTTP

@c(LLVMFuzzerTestOneInput)
public func fuzzResponseParser(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    for method in [HTTPMethod.get, .head, .connect] {
        for limits in [HTTPLimits(), tightLimits] {
            let whole = ParsedResponse(bytes, method, limits)
            let split = ParsedResponse(bytes, method, limits, cutAt: splitPosition(bytes))
            precondition(whole == split, "whole and split in two differ")
            let single = ParsedResponse(byteByByte: bytes, method, limits)
            precondition(whole == single, "whole and byte by byte differ")
            whole.check(bytes, method, limits)
        }
    }
    return 0
}

/// So small that inputs reach every limit.
private let tightLimits = {
    var limits = HTTPLimits()
    limits.requestLineBytesMax = 24
    limits.headerBytesMax = 96
    limits.headerFieldsMax = 4
    return limits
}()
