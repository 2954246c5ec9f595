// SPDX-License-Identifier: Apache-2.0
// The path that an endpoint gets instead of the one that came. Compiled from a route; pure, any loop.

package import WeirHTTP

/// Text, and segments of the path that came.
///
/// Segments are taken from the path as it came, without its dot segments, and not from decoded parameters: `%2C` stays
/// `%2C`, and nothing has to be escaped again. They are those that the route was chosen by, because an escaped slash is
/// refused and no other escape makes a segment of one.
///
/// What is made of them begins with one slash: `//host/path` is the start of a host's name to many who read it.
package struct PathTemplate: ~Copyable, Sendable {
    private enum Piece {
        /// To this offset of `text`, from where the last one ended.
        case text(to: Int)
        /// One segment, by its number from 0.
        case segment(Int)
        /// All from this segment on.
        case rest(Int)
        /// The path as it came.
        case whole
    }

    private let text: [UInt8]
    private let pieces: [Piece]

    /// The path as it came.
    init() {
        text = []
        pieces = [.whole]
    }

    /// - Parameters:
    ///   - path: a path whose segments may be parameters of `pattern`, with their marks.
    ///   - pattern: the route's.
    package init(path: String, pattern: String) {
        let known = Self.segments(of: pattern)
        var text: [UInt8] = []
        var pieces: [Piece] = []
        for segment in Self.segments(of: path) {
            text.append(UInt8(ascii: "/"))
            guard segment.hasPrefix(":") || segment.hasPrefix("*"), let number = known.firstIndex(of: segment) else {
                text += segment.utf8
                continue
            }
            pieces.append(.text(to: text.count))
            pieces.append(segment.hasPrefix(":") ? .segment(number) : .rest(number))
        }
        pieces.append(.text(to: text.count))
        self.text = text
        self.pieces = pieces
    }

    /// - Parameters:
    ///   - prefix: what stands in front of what the pattern's catch-all has matched.
    ///   - pattern: the route's.
    package init(prefix: String, pattern: String) {
        text = Array(prefix.utf8)
        pieces = [.text(to: text.count), .rest(Self.segments(of: pattern).count - 1)]
    }

    /// How many bytes `write` writes for this path. Does not allocate.
    package func byteCount(_ path: UnsafeRawBufferPointer) -> Int {
        var count = 0
        eachRun(of: path) { count += $0.count }
        return count
    }

    /// Writes what becomes of a path without dot segments. Does not allocate.
    package func write(_ path: UnsafeRawBufferPointer, into writer: inout HeadWriter) {
        eachRun(of: path) { writer.raw($0) }
    }

    /// Calls `body` with what becomes of the path, run by run, without slashes behind the first one.
    private func eachRun(of path: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        text.withUnsafeBytes { text in
            var taken = 0
            var hasSlashOnly = false
            for index in pieces.indices {
                let piece: UnsafeRawBufferPointer
                switch pieces[index] {
                case .text(let end):
                    piece = UnsafeRawBufferPointer(rebasing: text[taken..<end])
                    taken = end
                case .segment(let number): piece = Self.segment(number, of: path)
                case .rest(let number): piece = Self.rest(number, of: path)
                case .whole: return body(path)
                }
                let run = hasSlashOnly ? Self.withoutLeadingSlashes(piece) : piece
                if run.isEmpty { continue }
                // The configuration has no template with two slashes in a row.
                hasSlashOnly = index == 0 && run.count == 1
                body(run)
            }
        }
    }

    private static func segments(of path: String) -> [Substring] {
        path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func segment(_ number: Int, of path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let rest = rest(number, of: path)
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.count
        return UnsafeRawBufferPointer(rebasing: rest[..<end])
    }

    private static func withoutLeadingSlashes(_ run: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = run.firstIndex { $0 != UInt8(ascii: "/") } ?? run.count
        return UnsafeRawBufferPointer(rebasing: run[start...])
    }

    /// What is behind the slash in front of a segment; empty where there are fewer.
    private static func rest(_ number: Int, of path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var left = number
        for index in path.indices where path[index] == UInt8(ascii: "/") {
            if left == 0 { return UnsafeRawBufferPointer(rebasing: path[(index + 1)...]) }
            left -= 1
        }
        return UnsafeRawBufferPointer(rebasing: path[path.count...])
    }
}
