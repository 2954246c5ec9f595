// SPDX-License-Identifier: Apache-2.0
// The patterns of one host while routes are added: finds conflicts, and bounds what a lookup may have to try.

/// The patterns of one host, as a tree of segments that grows while routes are added.
///
/// Besides finding duplicates it keeps, for every node, an upper bound on the alternatives that a lookup can have to
/// try below it: the largest bound among the literal children (a path picks at most one of them), plus the bound of
/// the parameter child, plus one for a catch-all. The root's bound holds for every path, whoever sends it, so a table
/// that could be made to work hard is refused here, at start-up, and not found out under attack.
struct PatternTree {
    /// The most alternatives that a lookup may have to try within one host. Each level that has both a literal and a
    /// parameter which lead on alike doubles the bound, so this allows 8 such levels; real tables need 2 to 4.
    static let alternativesMax = 256

    struct Entry {
        let methods: MethodSet
        let route: Int32
        let pattern: String
    }

    /// All routes that share one pattern's shape.
    struct Leaf {
        let shape: [UInt8]
        var methods: MethodSet = []
        var entries: [Entry] = []
    }

    private struct Node {
        var literalBound = 0
        var parameterBound = 0
        var catchAllBound = 0
        var leaf: Int?

        var bound: Int { max(1, literalBound + parameterBound + catchAllBound) }

        /// Takes in that a child now has this bound. Bounds only grow.
        mutating func raise(_ segment: PatternSegment, to bound: Int) {
            switch segment {
            case .literal: literalBound = max(literalBound, bound)
            case .parameter: parameterBound = max(parameterBound, bound)
            case .catchAll: catchAllBound = max(catchAllBound, bound)
            }
        }
    }

    private struct Edge: Hashable {
        let parent: Int
        let segment: PatternSegment
    }

    private(set) var leaves: [Leaf] = []
    private var nodes: [Node] = [Node()]
    private var edges: [Edge: Int] = [:]

    /// Adds a route, or leaves the tree as it was.
    ///
    /// - Throws: ``RoutingError/duplicate(pattern:existing:existingRoute:host:methods:)`` and
    ///   ``RoutingError/tooAmbiguous(pattern:host:alternatives:alternativesMax:)``.
    /// - Complexity: O(bytes of the pattern), whatever the tree holds.
    mutating func insert(
        _ pattern: RoutePattern,
        methods: MethodSet,
        route: Int32,
        host: String?
    ) throws(RoutingError) {
        var trail = existingTrail(of: pattern)
        if trail.count == pattern.segments.count + 1, let leaf = nodes[trail[trail.count - 1]].leaf {
            try checkDuplicate(pattern, methods: methods, leaf: leaves[leaf], host: host)
        }
        let bound = boundAfterInserting(pattern, trail: trail)
        guard bound <= Self.alternativesMax else {
            throw .tooAmbiguous(
                pattern: pattern.text,
                host: host,
                alternatives: bound,
                alternativesMax: Self.alternativesMax
            )
        }

        for segment in pattern.segments[(trail.count - 1)...] {
            edges[Edge(parent: trail[trail.count - 1], segment: segment)] = nodes.count
            trail.append(nodes.count)
            nodes.append(Node())
        }
        for depth in pattern.segments.indices.reversed() {
            nodes[trail[depth]].raise(pattern.segments[depth], to: nodes[trail[depth + 1]].bound)
        }
        let end = trail[trail.count - 1]
        let leaf = nodes[end].leaf ?? leaves.count
        if leaf == leaves.count {
            leaves.append(Leaf(shape: pattern.shape))
            nodes[end].leaf = leaf
        }
        leaves[leaf].methods.formUnion(methods)
        leaves[leaf].entries.append(Entry(methods: methods, route: route, pattern: pattern.text))
    }

    /// The nodes from the root on along the pattern, as far as they exist.
    private func existingTrail(of pattern: RoutePattern) -> [Int] {
        var trail = [0]
        for segment in pattern.segments {
            guard let next = edges[Edge(parent: trail[trail.count - 1], segment: segment)] else { break }
            trail.append(next)
        }
        return trail
    }

    /// What the root's bound would be with the pattern in the tree.
    private func boundAfterInserting(_ pattern: RoutePattern, trail: [Int]) -> Int {
        var bound = trail.count == pattern.segments.count + 1 ? nodes[trail[trail.count - 1]].bound : 1
        for depth in pattern.segments.indices.reversed() where depth < trail.count {
            var node = nodes[trail[depth]]
            node.raise(pattern.segments[depth], to: bound)
            bound = node.bound
        }
        return bound
    }

    private func checkDuplicate(
        _ pattern: RoutePattern,
        methods: MethodSet,
        leaf: Leaf,
        host: String?
    ) throws(RoutingError) {
        for entry in leaf.entries where !entry.methods.isDisjoint(with: methods) {
            throw .duplicate(
                pattern: pattern.text,
                existing: entry.pattern,
                existingRoute: Int(entry.route),
                host: host,
                methods: entry.methods.intersection(methods)
            )
        }
    }
}
