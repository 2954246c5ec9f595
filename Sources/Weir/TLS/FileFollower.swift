// SPDX-License-Identifier: Apache-2.0
// Says when files have changed, and have been left alone since. A value of the thread that looks.

package import WeirEventLoop

/// Whether files are others than they were, and have ceased to change.
package struct FileFollower {
    private let paths: [String]
    /// Of the files that were read last.
    private var read: [FileVersion?]
    /// At the last look.
    private var seen: [FileVersion?]
    /// Looks until they are read once more as they are; nil where nothing was wrong with them.
    private var looksUntilRetry: Int?
    /// What was wrong may have been the machine, which had no descriptor or no memory left.
    private static let looksBetweenTries = 60

    /// - Parameter start: those of the files that were read at the start.
    package init(_ paths: [String], start: [FileVersion?]) {
        self.paths = paths
        read = start
        seen = start
    }

    /// One look: true once for each change, when two looks find the same. A certificate and its key are two files, and
    /// between the first and the second they do not fit.
    package mutating func hasSettled() -> Bool {
        let now = paths.map { FileVersion(path: $0) }
        defer { seen = now }
        guard now != read, now == seen else { return false }
        read = now
        looksUntilRetry = nil
        return true
    }

    /// What was read was at fault: it is read again when it changes, also back to what it was before, or after a while.
    package mutating func noteFailed() {
        looksUntilRetry = Self.looksBetweenTries
    }

    /// Whether it is time to read files once more that have not changed. Once for each look.
    package mutating func isRetryDue() -> Bool {
        guard let looks = looksUntilRetry else { return false }
        looksUntilRetry = looks > 1 ? looks - 1 : nil
        return looks <= 1
    }
}
