// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: a tree within its bounds, or one fault with a place.

import WeirDocument
import WeirYAML

@c(LLVMFuzzerTestOneInput)
public func fuzzYAML(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let text = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do throws(YAMLFault) {
        guard let root = try YAMLReader.read(text) else { return 0 }
        var nodes = 0
        check(root, depth: 0, &nodes)
        precondition(nodes <= YAMLReader.nodesMax, "more values than the most")
    } catch {
        check(error.position)
        precondition(!error.description.isEmpty, "a fault without words")
    }
    return 0
}

private func check(_ node: DocumentNode, depth: Int, _ nodes: inout Int) {
    precondition(depth < YAMLReader.depthMax, "deeper than the most")
    check(node.position)
    nodes += 1
    switch node.content {
    case .scalar(_, let isPlain): precondition(isPlain || !node.isNull, "what is quoted is something")
    case .sequence(let items): for item in items { check(item, depth: depth + 1, &nodes) }
    case .mapping(let entries):
        for (index, entry) in entries.enumerated() {
            precondition(node[entry.key] == entry.value, "a key finds another's value")
            precondition(!entries[..<index].contains { $0.key == entry.key }, "a key is there twice")
            check(entry.keyPosition)
            check(entry.value, depth: depth + 1, &nodes)
        }
        // The keys are values too.
        nodes += entries.count
    }
}

private func check(_ position: TextPosition) {
    precondition(position.line >= 1 && position.column >= 1, "a place that is none")
}
