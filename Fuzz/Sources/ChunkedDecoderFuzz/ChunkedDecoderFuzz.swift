// SPDX-License-Identifier: Apache-2.0
// Any bytes as a chunked body: however they arrive, data, trailers and end are the same.

import FuzzSupport
import WeirHTTP

@c(LLVMFuzzerTestOneInput)
public func fuzzChunkedDecoder(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    for limits in [HTTPLimits(), tightLimits] {
        let whole = DecodedBody(bytes, limits)
        let split = DecodedBody(bytes, limits, cuts: [splitPosition(bytes)])
        precondition(whole == split, "whole and split in two differ")
        let single = DecodedBody(bytes, limits, cuts: Array(0..<count))
        precondition(whole == single, "whole and byte by byte differ")
        whole.check(bytes, limits)
    }
    return 0
}

/// So small that inputs reach every limit.
private let tightLimits = {
    var limits = HTTPLimits()
    limits.chunkLineBytesMax = 12
    limits.trailerBytesMax = 48
    limits.headerFieldsMax = 3
    return limits
}()
