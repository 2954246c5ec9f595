// SPDX-License-Identifier: Apache-2.0
// Any bytes as the value of a forwarding field: what a proxy adds behind them is read, and they change nothing of it.

import FuzzSupport
import WeirHTTP

@c(LLVMFuzzerTestOneInput)
public func fuzzForwarded(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    let value = ExactCopy(bytes)
    let walk = ForwardedWalk(value.span, ByteRange(0, count))
    walk.check(value.span)

    // The same value between other bytes, and with a proxy's own element behind it.
    let raw = bytes.indices.map { bytes[$0] }
    let added = Array("\", for=192.0.2.1".utf8)
    let front = Array(", for=\"".utf8)
    let inside = front + raw + added
    let shifted = ForwardedWalk(inside.span, ByteRange(front.count, front.count + count))
    precondition(shifted.texts(inside.span) == walk.texts(value.span), "bytes outside of the value matter")

    let proxied = raw + Array(", for=192.0.2.1".utf8)
    let proxiedWalk = ForwardedWalk(proxied.span, ByteRange(0, proxied.count))
    let texts = proxiedWalk.texts(proxied.span)
    precondition(texts.first == "for 192.0.2.1 -", "a proxy's element is not read")
    precondition(Array(texts.dropFirst()) == walk.texts(value.span), "a proxy's element changes others")

    checkForwardedFor(value.span, raw)
    checkTraceParent(value.span)
    return 0
}

private func checkForwardedFor(_ value: Span<UInt8>, _ raw: [UInt8]) {
    let nodes = forwardedFor(value)
    let proxied = raw + Array(", 192.0.2.1".utf8)
    let proxiedNodes = forwardedFor(proxied.span)
    precondition(proxiedNodes.first == .address(ByteRange(raw.count + 2, proxied.count), port: nil))
    precondition(Array(proxiedNodes.dropFirst()) == nodes, "a proxy's element changes others")
    precondition(nodes.count <= raw.count { $0 == UInt8(ascii: ",") } + 1)
    for node in nodes { ForwardedWalk.check(node, value) }
}

private func forwardedFor(_ value: Span<UInt8>) -> [ForwardedNode] {
    var iterator = ForwardedForIterator(ByteRange(0, value.count))
    var nodes: [ForwardedNode] = []
    while let node = iterator.next(value) { nodes.append(node) }
    return nodes
}

/// The value that is written of it: behind the field's name, without the line's end.
private func written(_ parent: TraceParent) -> [UInt8] {
    let line = unsafe [UInt8](unsafeUninitializedCapacity: 128) { memory, count in
        var writer = unsafe HeadWriter(UnsafeMutableRawBufferPointer(memory))
        parent.write(into: &writer)
        count = writer.count
    }
    return Array(line.drop { $0 != UInt8(ascii: " ") }.dropFirst().dropLast(2))
}

private func checkTraceParent(_ value: Span<UInt8>) {
    guard let parent = TraceParent(value) else { return }
    let text = written(parent)
    precondition(parent.parentID != 0 && parent.traceIDUpper | parent.traceIDLower != 0)
    precondition(TraceParent(text.span) == parent, "another trace than was written")
    for index in 2..<53 { precondition(text[index] == value[index]) }
}
