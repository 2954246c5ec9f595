// SPDX-License-Identifier: Apache-2.0
// A size that says its unit.

/// A number of bytes.
public struct ByteCount: Sendable, Hashable, Comparable {
    public let bytes: Int

    /// - Parameter bytes: not negative.
    public init(bytes: Int) {
        self.bytes = max(0, bytes)
    }

    public static func bytes(_ count: Int) -> ByteCount { ByteCount(bytes: count) }
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}
