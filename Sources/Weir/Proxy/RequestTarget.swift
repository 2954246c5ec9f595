// SPDX-License-Identifier: Apache-2.0
// The path as it goes on to an endpoint. Pure.

/// Removes dot segments from a path whose escapes stay as they are.
///
/// The route was chosen by the path without dot segments, so an endpoint must not see another one through them
/// (`/public/../admin`). Everything else goes on as it came, because to the endpoint `%2C` and `,` may differ.
package enum RequestTarget {
    /// The path without dot segments (RFC 3986 section 5.2.4), `%2e` counting as a dot. Allocates; it is called only for
    /// the few paths that have an escape or a dot segment.
    package static func withoutDotSegments(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var kept: [UInt8] = []
        kept.reserveCapacity(path.count)
        var starts: [Int] = []
        var index = 0
        // A path begins with a slash, and each segment with the slash in front of it.
        while index < path.count {
            var end = index + 1
            while end < path.count, path[end] != slash { end += 1 }
            let isLast = end == path.count
            switch dots(path[(index + 1)..<end]) {
            case 1:
                if isLast { kept.append(slash) }
            case 2:
                if let start = starts.popLast() { kept.removeSubrange(start...) }
                if isLast { kept.append(slash) }
            default:
                starts.append(kept.count)
                kept.append(contentsOf: path[index..<end])
            }
            index = end
        }
        return kept.isEmpty ? [slash] : kept
    }

    /// 1 for `.`, 2 for `..`, 0 for any other segment.
    private static func dots(_ segment: Slice<UnsafeRawBufferPointer>) -> Int {
        var count = 0
        var index = segment.startIndex
        while index < segment.endIndex {
            if segment[index] == UInt8(ascii: ".") {
                index += 1
            } else if index + 3 <= segment.endIndex, segment[index] == UInt8(ascii: "%"),
                segment[index + 1] == UInt8(ascii: "2"), segment[index + 2] | 0x20 == UInt8(ascii: "e")
            {
                index += 3
            } else {
                return 0
            }
            count += 1
            if count > 2 { return 0 }
        }
        return count
    }

    private static let slash = UInt8(ascii: "/")
}
