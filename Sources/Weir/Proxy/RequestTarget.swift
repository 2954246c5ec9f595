// SPDX-License-Identifier: Apache-2.0
// The path as it goes on to an endpoint. Pure.

import WeirHTTP
import WeirRouting

/// Removes dot segments from a path whose escapes stay as they are.
///
/// The route was chosen by the path without dot segments, so an endpoint must not see another one through them
/// (`/public/../admin`). Everything else goes on as it came, because to the endpoint `%2C` and `,` may differ.
package enum RequestTarget {
    /// Writes the path without dot segments (RFC 3986 section 5.2.4), `%2e` counting as a dot.
    ///
    /// - Parameter memory: at least as long as the path, which is not empty.
    /// - Returns: how many bytes were written.
    /// - Complexity: linear in the bytes of the path. Does not allocate.
    package static func withoutDotSegments(
        _ path: UnsafeRawBufferPointer,
        into memory: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(memory.count >= path.count && !path.isEmpty, "the memory is shorter than the path")
        var count = 0
        func keep(_ bytes: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
            count += bytes.count
        }
        var index = 0
        // A path begins with a slash, and each segment with the slash in front of it.
        while index < path.count {
            var end = index + 1
            while end < path.count, path[end] != slash { end += 1 }
            let isLast = end == path.count
            let dots = dots(path[(index + 1)..<end])
            if dots == 2 { count = memory[..<count].lastIndex(of: slash) ?? 0 }
            if dots == 0 {
                keep(UnsafeRawBufferPointer(rebasing: path[index..<end]))
            } else if isLast {
                keep(UnsafeRawBufferPointer(rebasing: path[index...index]))
            }
            index = end
        }
        return count
    }

    /// Whether an endpoint might see another path than this one.
    static func hasDotSegments(_ path: String) -> Bool {
        Array(path.utf8).withUnsafeBytes { path in
            withUnsafeTemporaryAllocation(byteCount: path.count, alignment: 1) { memory in
                withoutDotSegments(path, into: memory) != path.count
            }
        }
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

extension Exchange {
    /// The path as it goes on: without dot segments, else as it came; `/` where the target had none. Valid until the
    /// loop's scratch memory is used again, or the exchange.
    var forwardedPath: UnsafeRawBufferPointer {
        let path = bytes(parser.pointee.head.path)
        if path.isEmpty {
            let root: StaticString = "/"
            return UnsafeRawBufferPointer(start: root.utf8Start, count: root.utf8CodeUnitCount)
        }
        // Where a lookup needed no scratch memory there was nothing to remove.
        guard match.pointee.usesScratch else { return path }
        // As long as the longest request line.
        let memory = UnsafeMutableRawBufferPointer(start: owner.scratch, count: path.count)
        let count = RequestTarget.withoutDotSegments(path, into: memory)
        return UnsafeRawBufferPointer(rebasing: memory[..<count])
    }
}
