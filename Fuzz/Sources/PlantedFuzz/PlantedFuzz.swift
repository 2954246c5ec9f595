// SPDX-License-Identifier: Apache-2.0
// Finds a bug that was put there: where it finds none, the others find nothing either, and `Fuzz/run` says so.

import FuzzSupport

@c(LLVMFuzzerTestOneInput)
public func fuzzPlanted(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    // What is read must be used, or it is not read.
    return plantedBug(bytes) == 255 ? -1 : 0
}
