// SPDX-License-Identifier: Apache-2.0
// Finds the name that a mistyped one was meant to be. Pure.

/// The nearest known name by edit distance.
package enum NearestName {
    /// The known name nearest to `name`, the first of several; nil where none is near enough to be meant.
    ///
    /// The shared prefix does not count: a third of the remaining letters may be wrong, at least one, at most three.
    package static func find(_ name: String, in known: [String], prefix: String) -> String? {
        // Longer names cost the square of their length, and no setting comes near.
        let lengthMax = 64
        guard name.utf8.count <= lengthMax else { return nil }
        let typed = Array(name.utf8.dropFirst(prefix.utf8.count))
        let distanceMax = min(3, max(1, typed.count / 3))
        let nearest =
            known
            .map { (name: $0, distance: distance(typed, Array($0.utf8.dropFirst(prefix.utf8.count)))) }
            .min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= distanceMax else { return nil }
        return nearest.name
    }

    /// How many letters must be changed, added, dropped, or swapped with their neighbour (optimal string alignment).
    private static func distance(_ source: [UInt8], _ target: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...target.count)
        for row in source.indices {
            var current = [row + 1]
            for column in target.indices {
                let substitution = previous[column] + (source[row] == target[column] ? 0 : 1)
                var best = min(substitution, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, source[row] == target[column - 1], source[row - 1] == target[column] {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[target.count]
    }
}
