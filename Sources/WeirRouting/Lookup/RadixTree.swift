// SPDX-License-Identifier: Apache-2.0
// The compiled trees of all hosts, and the walk through one of them.

/// The compiled radix trees of a table, in flat arrays.
struct RadixTree: ~Copyable, Sendable {
    private let nodes: FlatArray<RadixNode>
    private let leaves: FlatArray<RouteLeaf>
    private let routes: FlatArray<Int32>
    /// Prefixes and keys, with eight bytes more at the end so that keys can be read by the word.
    private let bytes: FlatArray<UInt8>

    init(_ compiled: borrowing RadixCompiler) {
        nodes = FlatArray(compiled.nodes)
        leaves = FlatArray(compiled.leaves)
        routes = FlatArray(compiled.routes)
        bytes = FlatArray(compiled.bytes + [UInt8](repeating: 0, count: 8))
    }

    /// Walks one tree in the order of precedence until a leaf has a route for the method.
    ///
    /// Going on after a miss always leads to a node later in the tree's depth-first order (`alternative` and `failure`
    /// never point back), so no node is visited twice and the walk ends. How many nodes can match one path at all is
    /// bounded when routes are added: see ``PatternTree``.
    ///
    /// - Parameters:
    ///   - root: the tree's first node; 0 is a tree without routes.
    ///   - method: the method's one bit.
    ///   - match: gets route and parameters if one is found; `allowed` grows by the methods of every leaf that
    ///     matches the path but not the method.
    /// - Returns: whether a route was found.
    func walk(from root: UInt32, _ path: Span<UInt8>, method: UInt16, match: inout RouteMatch) -> Bool {
        let nodes = nodes.span
        let bytes = bytes.span
        var index = root
        var position = 0
        var visited = 0
        defer { match.nodesVisited &+= visited }
        while index != 0 {
            let node = nodes[Int(index)]
            visited &+= 1
            var parameters = Int(node.parametersBefore)
            if node.kind == .literal {
                let prefixCount = Int(node.prefixCount)
                guard prefixCount <= path.count &- position,
                    ByteWord.areEqual(path, at: position, bytes, at: Int(node.prefixStart), count: prefixCount)
                else {
                    index = node.failure
                    continue
                }
                position &+= prefixCount
            } else {
                let start = (parameters == 0 ? 0 : Int(match.ranges[parameters &- 1].end)) &+ Int(node.startOffset)
                position = path.count
                if node.kind == .parameter {
                    position = ByteWord.firstIndex(of: UInt8(ascii: "/"), in: path, from: start)
                    if position == start {
                        index = node.failure
                        continue
                    }
                }
                match.ranges[parameters] = RouteMatch.ParameterRange(start: UInt32(start), end: UInt32(position))
                parameters &+= 1
            }
            if position == path.count {
                if node.leaf != 0, accept(leaves.span[Int(node.leaf)], method, &match) {
                    match.parameterCount = parameters
                    return true
                }
            } else {
                let child = Self.child(of: node, key: path[position], bytes)
                if child != 0 {
                    index = child
                    position &+= 1
                    continue
                }
            }
            index = node.alternative
        }
        return false
    }

    /// The literal child with this key, or 0.
    ///
    /// Eight keys per step: at most 32 steps, and 1 for all but nodes that fan out widely. What is read past the keys
    /// belongs to other nodes or the padding, and is told by its place.
    @inline(always)
    private static func child(of node: RadixNode, key: UInt8, _ bytes: Span<UInt8>) -> UInt32 {
        let count = Int(node.childCount)
        let keys = Int(node.prefixStart) &+ Int(node.prefixCount)
        var offset = 0
        while offset < count {
            let mask = ByteWord.mask(of: ByteWord.load(bytes, at: keys &+ offset), equalTo: key)
            if mask != 0 {
                offset &+= ByteWord.firstIndex(mask)
                return offset < count ? node.firstChild &+ UInt32(truncatingIfNeeded: offset) : 0
            }
            offset &+= 8
        }
        return 0
    }

    /// Whether the leaf answers the method, HEAD also by GET.
    @inline(always)
    private func accept(_ leaf: RouteLeaf, _ method: UInt16, _ match: inout RouteMatch) -> Bool {
        var bit = method
        if leaf.methods & bit == 0 {
            guard bit == MethodSet.head.rawValue, leaf.methods & MethodSet.get.rawValue != 0 else {
                match.allowed.formUnion(MethodSet(rawValue: leaf.methods))
                return false
            }
            bit = MethodSet.get.rawValue
            match.isAutomaticHead = true
        }
        let place = (leaf.methods & (bit &- 1)).nonzeroBitCount
        match.route = routes.span[Int(leaf.firstRoute) &+ place]
        return true
    }
}
