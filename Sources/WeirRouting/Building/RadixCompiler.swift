// SPDX-License-Identifier: Apache-2.0
// Turns the patterns of each host into radix trees in flat arrays.

/// Compiles pattern shapes into radix trees that share one set of arrays.
struct RadixCompiler {
    /// Index 0 is "no node" and "no leaf".
    private(set) var nodes = [RadixNode()]
    private(set) var leaves = [RouteLeaf()]
    private(set) var routes: [Int32] = []
    private(set) var bytes: [UInt8] = []

    /// A node that has its index but not its contents yet.
    private struct Pending {
        let node: Int
        /// The sorted leaves below the node: all share the first `depth` bytes of their shapes.
        let range: Range<Int>
        let depth: Int
        /// Literal bytes since the last parameter, up to `depth`.
        let literalCount: Int
    }

    /// Compiles one host's patterns.
    ///
    /// Nodes are laid out breadth first, the children of one node side by side: literals by key, parameter, catch-all.
    ///
    /// - Returns: the index of the tree's root, 0 if there are no patterns.
    /// - Complexity: O(n log n) comparisons to sort, then O(bytes).
    mutating func compile(_ unsorted: [PatternTree.Leaf]) -> UInt32 {
        if unsorted.isEmpty { return 0 }
        let patterns = unsorted.sorted { $0.shape.lexicographicallyPrecedes($1.shape) }
        let root = nodes.count
        nodes.append(RadixNode())
        var queue = [Pending(node: root, range: patterns.indices, depth: 0, literalCount: 0)]
        var next = 0
        while next < queue.count {
            let pending = queue[next]
            next += 1
            fill(pending, patterns, &queue)
        }
        return UInt32(root)
    }

    private mutating func fill(_ pending: Pending, _ patterns: [PatternTree.Leaf], _ queue: inout [Pending]) {
        var node = nodes[pending.node]
        var range = pending.range
        let prefix = node.kind == .literal ? commonPrefix(patterns, range, from: pending.depth) : []
        let depth = pending.depth + prefix.count
        node.prefixStart = UInt32(bytes.count)
        node.prefixCount = UInt16(prefix.count)
        bytes += prefix

        if patterns[range.lowerBound].shape.count == depth {  // a prefix of the others, so sorted before them
            node.leaf = UInt32(leaves.count)
            append(patterns[range.lowerBound])
            range = range.dropFirst()
        }

        let groups = group(patterns, range, at: depth)
        let literals = groups.filter { $0.key > RoutePattern.catchAllMark }
        let parameter = groups.first { $0.key == RoutePattern.parameterMark }
        let catchAll = groups.first { $0.key == RoutePattern.catchAllMark }

        node.childCount = UInt16(literals.count)
        node.firstChild = UInt32(nodes.count)
        bytes += literals.map(\.key)
        let parameterIndex = nodes.count + literals.count
        let catchAllIndex = parameterIndex + (parameter == nil ? 0 : 1)
        let afterParameter = catchAll == nil ? node.failure : UInt32(catchAllIndex)
        node.alternative = parameter == nil ? afterParameter : UInt32(parameterIndex)
        nodes[pending.node] = node

        let literalCount = pending.literalCount + prefix.count
        var child = RadixNode()
        child.parametersBefore = node.parametersBefore + (node.kind == .literal ? 0 : 1)
        child.failure = node.alternative
        for literal in literals { append(child, literal, depth, literalCount + 1, &queue) }
        child.startOffset = UInt16(literalCount)
        if let parameter {
            child.kind = .parameter
            child.failure = afterParameter
            append(child, parameter, depth, 0, &queue)
        }
        if let catchAll {
            child.kind = .catchAll
            child.failure = node.failure
            append(child, catchAll, depth, 0, &queue)
        }
    }

    private typealias Group = (key: UInt8, range: Range<Int>)

    private mutating func append(
        _ node: RadixNode,
        _ group: Group,
        _ depth: Int,
        _ literalCount: Int,
        _ queue: inout [Pending]
    ) {
        queue.append(
            Pending(node: nodes.count, range: group.range, depth: depth + 1, literalCount: literalCount)
        )
        nodes.append(node)
    }

    private mutating func append(_ leaf: PatternTree.Leaf) {
        leaves.append(RouteLeaf(methods: leaf.methods.rawValue, firstRoute: UInt32(routes.count)))
        for index in UInt8(0)..<10 {
            let method = MethodSet(methodIndex: index)
            if let entry = leaf.entries.first(where: { $0.methods.contains(method) }) { routes.append(entry.route) }
        }
    }

    /// The literal bytes from `depth` on that all patterns of the range share: the first and the last in the sorted
    /// order share them exactly if all do.
    private func commonPrefix(_ patterns: [PatternTree.Leaf], _ range: Range<Int>, from depth: Int) -> ArraySlice<UInt8>
    {
        let first = patterns[range.lowerBound].shape
        let last = patterns[range.upperBound - 1].shape
        var end = depth
        while end < first.count, end < last.count, first[end] == last[end], first[end] > RoutePattern.catchAllMark {
            end += 1
        }
        return first[depth..<end]
    }

    /// The range cut where the byte at `depth` changes. Marks sort before literals.
    private func group(_ patterns: [PatternTree.Leaf], _ range: Range<Int>, at depth: Int) -> [Group] {
        var groups: [Group] = []
        for index in range {
            let key = patterns[index].shape[depth]
            if let last = groups.last, last.key == key {
                groups[groups.count - 1].range = last.range.lowerBound..<(index + 1)
            } else {
                groups.append((key, index..<(index + 1)))
            }
        }
        return groups
    }
}
