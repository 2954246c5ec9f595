// SPDX-License-Identifier: Apache-2.0
// Discovery from a file that something else writes. Confined to its loop's thread.

import Glibc
package import WeirEventLoop

/// Reads a file of endpoints when it changes: at once where its folder tells, else at the next look.
///
/// The file is read on the loop's thread: it is small, and what was just written is in memory. Where it is a link, also by
/// way of the `..data` of a mounted ConfigMap, the file that it leads to is what is looked at.
package final class FileProvider: DiscoveryProvider {
    /// How often the file is looked at without being told.
    package static let pollInterval: Nanoseconds = 10_000_000_000

    /// Which text a file has, as far as the kernel says without reading it.
    private struct Version: Equatable {
        let device: UInt64
        let file: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            file = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    private let path: String
    private let feed: DiscoveryFeed
    private let loop: EventLoop
    private var isRunning = false
    /// Of the text that was read last; nil where there was none.
    private var version: Version?
    private lazy var pollTimer = LoopTimer { [unowned self] _ in poll() }
    private lazy var folder = FolderWatch(Self.folder(of: path), on: loop) { [unowned self] in read() }

    package init(path: String, feed: DiscoveryFeed, on loop: EventLoop) {
        self.path = path
        self.feed = feed
        self.loop = loop
    }

    package func start() {
        guard !isRunning else { return }
        isRunning = true
        // First the watch, then the text: a change in between is told.
        folder.renew()
        read()
        loop.schedule(pollTimer, at: loop.now &+ Self.pollInterval)
    }

    package func stop() {
        guard isRunning else { return }
        isRunning = false
        loop.cancel(pollTimer)
        folder.stop()
    }

    private func poll() {
        loop.schedule(pollTimer, at: loop.now &+ Self.pollInterval)
        folder.renew()
        var status = stat()
        guard version == nil || stat(path, &status) != 0 || Version(status) != version else { return }
        read()
    }

    private func read() {
        do throws(EndpointFileError) {
            feed.found(try EndpointFile.parse(try text()))
        } catch {
            feed.failed("\(path): \(error)")
        }
    }

    /// The whole text, or one byte more than there may be.
    private func text() throws(EndpointFileError) -> [UInt8] {
        version = nil
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable() }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= EndpointFile.bytesMax {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw unreadable() }
            if count == 0 { break }
            bytes.append(contentsOf: piece[..<count])
        }
        // Before it was read: what is written meanwhile makes another version.
        version = Version(status)
        return bytes
    }

    private func unreadable() -> EndpointFileError { .unreadable(reason: String(cString: strerror(errno))) }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
