// SPDX-License-Identifier: Apache-2.0
// Any bytes as the front of a connection: however they arrive, the header is the same, and what it says can be said
// again.

import FuzzSupport
import WeirEventLoop

@c(LLVMFuzzerTestOneInput)
public func fuzzProxyProtocol(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    let whole = read(bytes, count)
    // Each way of arriving is a row of longer and longer fronts; what one says is the whole's outcome or not yet any.
    for front in [splitPosition(bytes)] + Array(0..<min(count, 128)) {
        let outcome = read(bytes, front)
        precondition(outcome == .incomplete || outcome == whole, "an outcome changes with what follows")
    }
    switch whole {
    case .incomplete:
        precondition(count < ProxyProtocol.headerBytesMax, "more bytes are wanted than a header has")
    case .complete(let header):
        precondition(header.byteCount <= count && header.byteCount <= ProxyProtocol.headerBytesMax)
        precondition(read(bytes, header.byteCount) == whole, "bytes behind the header matter")
        precondition(read(bytes, header.byteCount - 1) == .incomplete, "the header's last byte does not matter")
        checkThatWrittenIsRead(header)
    case .notProxy, .invalid:
        break
    }
    return 0
}

private func read(_ bytes: Span<UInt8>, _ count: Int) -> ProxyProtocol.Outcome {
    let front = ExactCopy(bytes.extracting(0..<count))
    return ProxyProtocol.read(front.span)
}

/// Numeric addresses of one family come out as they went in; others say nothing.
private func checkThatWrittenIsRead(_ header: ProxyHeader) {
    for version in ProxyProtocol.Version.allCases {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: ProxyProtocol.writtenBytesMax, alignment: 1)
        // Allocated here, used inside of its bounds, freed once.
        defer { unsafe memory.deallocate() }
        let count = unsafe ProxyProtocol.write(
            version,
            source: header.source,
            destination: header.destination,
            into: memory
        )
        let written = unsafe Array(memory[..<count])
        guard case .complete(let again) = ProxyProtocol.read(written.span), again.byteCount == count else {
            preconditionFailure("what was written is no header")
        }
        if let source = header.source, let destination = header.destination, source.family == destination.family,
            source.port != nil
        {
            precondition(again.origin == header.origin, "another origin than was written")
        } else {
            precondition(again.source == nil && again.destination == nil, "an origin that was not written")
        }
    }
}
