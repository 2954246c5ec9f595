// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request's head: however they arrive, the outcome is the same, and what is accepted keeps its promises.

import FuzzSupport
import WeirHTTP

@c(LLVMFuzzerTestOneInput)
public func fuzzRequestParser(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    for limits in [HTTPLimits(), tightLimits] {
        let whole = ParsedHead(bytes, limits)
        let split = ParsedHead(bytes, limits, cutAt: splitPosition(bytes))
        precondition(whole == split, "whole and split in two differ")
        let single = ParsedHead(byteByByte: bytes, limits)
        precondition(whole == single, "whole and byte by byte differ")
        whole.check(bytes, limits)
    }
    return 0
}

/// So small that inputs reach every limit.
private let tightLimits = {
    var limits = HTTPLimits()
    limits.requestLineBytesMax = 48
    limits.headerBytesMax = 96
    limits.headerFieldsMax = 4
    return limits
}()
