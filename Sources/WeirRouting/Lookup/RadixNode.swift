// SPDX-License-Identifier: Apache-2.0
// One node of the compiled tree: 28 bytes, all references are indices into flat arrays.

/// One node of the compiled radix tree.
///
/// A node takes bytes off the path by its kind, then hands over to the child whose key is the next byte. Where that
/// fails, `alternative` and `failure` say where to go on; both are known when the tree is compiled, as a node has one
/// parent, so a lookup needs no stack to go back. Index 0 is no node and means "nothing".
struct RadixNode: BitwiseCopyable, Sendable {
    enum Kind: UInt8, BitwiseCopyable {
        /// Takes `prefixCount` bytes that must be equal.
        case literal
        /// Takes the bytes up to the next slash, at least one.
        case parameter
        /// Takes the rest.
        case catchAll
    }

    /// Where in `bytes` the prefix lies; the children's keys (their first bytes, sorted) follow it directly.
    var prefixStart: UInt32 = 0
    var prefixCount: UInt16 = 0
    /// How many literal children there are: 0 ... 256, at `firstChild` and on, in the order of their keys.
    var childCount: UInt16 = 0
    var firstChild: UInt32 = 0
    /// The leaf of the patterns that end here, or 0.
    var leaf: UInt32 = 0
    /// Where to go on if this node matched, but neither its leaf nor a literal child led to a route:
    /// the parameter child, else the catch-all child, else `failure`.
    var alternative: UInt32 = 0
    /// Where to go on if nothing in this node or below led to a route.
    var failure: UInt32 = 0
    /// Parameters and catch-alls: where their segment starts, in bytes after the end of the parameter before (or after
    /// the path's start). With `parametersBefore` it finds the place again on the way back.
    var startOffset: UInt16 = 0
    /// How many parameters lie between the root and this node, itself not counted.
    var parametersBefore: UInt8 = 0
    var kind: Kind = .literal
}
