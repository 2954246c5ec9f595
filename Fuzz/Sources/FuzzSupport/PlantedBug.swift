// SPDX-License-Identifier: Apache-2.0
// A bug that must be found. It stands in another module than its fuzzer, as all that is fuzzed does.

/// Reads one byte too many of what begins with `weir`.
///
/// Four bytes are found one after the other by whoever sees which branches were taken, and by nobody else in the time that
/// is given; and the byte behind them is missed by the address sanitizer alone.
package func plantedBug(_ bytes: Span<UInt8>) -> UInt8 {
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    defer { unsafe copy.deallocate() }
    for index in bytes.indices { unsafe copy.initializeElement(at: index, to: bytes[index]) }
    guard bytes.count > 3, let base = copy.baseAddress else { return 0 }
    guard bytes[0] == UInt8(ascii: "w") else { return 1 }
    guard bytes[1] == UInt8(ascii: "e") else { return 2 }
    guard bytes[2] == UInt8(ascii: "i") else { return 3 }
    guard bytes[3] == UInt8(ascii: "r") else { return 4 }
    // The bug: as many bytes were allocated, so this one is nobody's.
    return unsafe base[bytes.count]
}
