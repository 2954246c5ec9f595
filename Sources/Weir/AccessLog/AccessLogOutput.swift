// SPDX-License-Identifier: Apache-2.0
// The descriptor that access lines go to: one that there is, or a file that others may move away. Used by one thread.

import Glibc
package import WeirEventLoop

/// Where lines are written.
///
/// `@unchecked Sendable`: made on one thread, then touched by the log's alone.
package final class AccessLogOutput: @unchecked Sendable {
    /// What one attempt to write came to.
    package enum Outcome: Equatable {
        case written(Int)
        /// Nothing can be written now without waiting for a reader.
        case full
        case failed
    }

    /// The path of a file of our own; nil for a descriptor that is somebody else's.
    private let path: String?
    private var descriptor: Int32
    /// A regular file takes everything at once; all else is asked first, and given no more than it takes in one piece.
    private var isFile = false
    private var identity: (device: UInt, number: UInt) = (0, 0)

    /// Lines go to an open descriptor, which is neither changed nor closed.
    ///
    /// - Throws: `SystemCallError` if it is not open.
    package init(descriptor: Int32) throws(SystemCallError) {
        path = nil
        self.descriptor = descriptor
        try inspect()
    }

    /// Lines go to the end of a file, which is made if it is not there.
    ///
    /// - Throws: `SystemCallError` if it cannot be opened for writing.
    package init(path: String) throws(SystemCallError) {
        self.path = path
        descriptor = -1
        descriptor = try Self.open(path)
        try inspect()
    }

    deinit {
        if path != nil, descriptor >= 0 { close(descriptor) }
    }

    private static func open(_ path: String) throws(SystemCallError) -> Int32 {
        // Without O_NONBLOCK opening a pipe would wait for its reader.
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o640)
        guard descriptor >= 0 else { throw SystemCallError("open", errno: errno, subject: path) }
        return descriptor
    }

    private func inspect() throws(SystemCallError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemCallError("fstat", errno: errno) }
        isFile = status.st_mode & S_IFMT == S_IFREG
        identity = (UInt(status.st_dev), UInt(status.st_ino))
    }

    /// Opens the file anew if its path leads to another one or to none. What cannot be opened is tried again the next
    /// time; until then lines go where they went.
    package func reopenIfMoved() {
        guard let path else { return }
        var status = stat()
        if stat(path, &status) == 0, (UInt(status.st_dev), UInt(status.st_ino)) == identity { return }
        guard let next = try? Self.open(path) else { return }
        close(descriptor)
        descriptor = next
        try? inspect()
    }

    /// Writes the first of `bytes`, which are whole lines; does not wait.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        var count = bytes.count
        if !isFile {
            var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&event, 1, 0) > 0 else { return .full }
            // A pipe that is ready takes PIPE_BUF bytes without blocking and in one piece: whole lines stay whole even
            // if others write to the same pipe.
            count = Self.wholeLines(bytes, Int(PIPE_BUF))
        }
        let written = Glibc.write(descriptor, bytes.baseAddress, count)
        if written >= 0 { return .written(written) }
        return errno == EAGAIN || errno == EINTR ? .full : .failed
    }

    /// The length of as many whole lines as fit into `countMax`; of a part of the first if it does not fit.
    private static func wholeLines(_ bytes: UnsafeRawBufferPointer, _ countMax: Int) -> Int {
        guard bytes.count > countMax else { return bytes.count }
        let lines = bytes[..<countMax].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
        return lines ?? countMax
    }

    /// Waits until something can be written, or the time is over.
    package func waitForRoom(milliseconds: Int32) {
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&event, 1, milliseconds)
    }
}
