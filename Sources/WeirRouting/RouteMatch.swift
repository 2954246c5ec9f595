// SPDX-License-Identifier: Apache-2.0
// The particulars of a lookup: plain memory of the caller, used again for every request.

/// The particulars of one lookup. The caller owns it and may use it again: a lookup sets every field anew.
///
/// Parameters are ranges into the *normalized path*. That is the request's own path bytes where nothing needed
/// decoding (`usesScratch` is false), otherwise the first `normalizedCount` bytes of the scratch memory. The ranges
/// are good as long as those bytes are.
package struct RouteMatch: Sendable {
    /// The bytes `start ..< end` of the normalized path.
    struct ParameterRange: BitwiseCopyable, Sendable {
        var start: UInt32
        var end: UInt32
    }

    /// The most parameters, a catch-all included, that a pattern may have.
    package static let parametersMax = 16

    /// The number that the route was added with; -1 unless the outcome is `found`.
    package internal(set) var route: Int32 = -1
    /// For `methodNotAllowed` and `automaticOptions`: what `Allow` says, with HEAD where there is GET, and OPTIONS.
    /// Empty for every other outcome.
    package internal(set) var allowed: MethodSet = []
    /// A HEAD request is answered by a GET route: send the head, leave out the content.
    package internal(set) var isAutomaticHead = false
    /// The normalized path lies in the scratch memory and not in the request.
    package internal(set) var usesScratch = false
    /// How many parameters the route has, 0 ... 16. 0 unless the outcome is `found`.
    package internal(set) var parameterCount = 0
    /// The length of the normalized path in bytes; 0 for `invalidPath`.
    package internal(set) var normalizedCount = 0
    /// How many nodes of the tree the lookup looked at: the measure of its cost (see ``RouteTable``).
    package internal(set) var nodesVisited = 0

    /// Where parameter `i` starts and ends. Slots at and above `parameterCount` hold leftovers of tries that failed.
    var ranges = InlineArray<16, ParameterRange>(repeating: ParameterRange(start: 0, end: 0))

    package init() {}

    /// The place of parameter `index` (in the pattern's order) within the normalized path, in bytes.
    ///
    /// - Precondition: `index` is below `parameterCount`.
    /// - Complexity: O(1).
    package func parameter(_ index: Int) -> (start: Int, count: Int) {
        precondition(index >= 0 && index < parameterCount, "the route has no parameter with this index")
        let range = ranges[index]
        return (Int(range.start), Int(range.end &- range.start))
    }

    /// Forgets the last lookup; the ranges stay, as no count covers them.
    mutating func reset() {
        route = -1
        allowed = []
        isAutomaticHead = false
        usesScratch = false
        parameterCount = 0
        normalizedCount = 0
        nodesVisited = 0
    }
}
