// SPDX-License-Identifier: Apache-2.0
// A pipe for tests of log writers: the end that is written to, and what came out of the other.

import Glibc

/// A pipe whose reading end the test holds.
final class TestPipe {
    let writeEnd: Int32
    private let readEnd: Int32

    /// Creates a pipe; with `isBlocking` false, its writing end answers EAGAIN when full.
    init(isBlocking: Bool = true) {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "a pipe is needed")
        readEnd = ends[0]
        writeEnd = ends[1]
        if !isBlocking { _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK) }
    }

    /// Writes until nothing more fits.
    func fill() {
        let flags = fcntl(writeEnd, F_GETFL)
        _ = fcntl(writeEnd, F_SETFL, flags | O_NONBLOCK)
        let chunk = [UInt8](repeating: UInt8(ascii: "\n"), count: 4096)
        while write(writeEnd, chunk, chunk.count) > 0 {}
        _ = fcntl(writeEnd, F_SETFL, flags)
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// The next lines, as many as asked for; those that there are if no more come for 5 seconds.
    func readLines(_ count: Int) -> [String] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        var lineCount = 0
        while lineCount < count {
            var event = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
            guard poll(&event, 1, 5000) == 1 else { break }
            let read = Glibc.read(readEnd, &chunk, chunk.count)
            guard read > 0 else { break }
            bytes += chunk[..<read]
            lineCount += chunk[..<read].count { $0 == UInt8(ascii: "\n") }
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// A descriptor whose writes fail with EPIPE.
    static func withoutReader(_ body: (Int32) -> Void) {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "a pipe is needed")
        close(ends[0])
        body(ends[1])
        close(ends[1])
    }
}
