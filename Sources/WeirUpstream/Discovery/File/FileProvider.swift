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

    private let path: String
    private let feed: DiscoveryFeed
    private let loop: EventLoop
    private var isRunning = false
    /// Of the text that was read last; nil where there was none.
    private var version: FileVersion?
    private lazy var pollTimer = LoopTimer { [unowned self] _ in poll() }
    private lazy var folder = FolderWatch(FolderWatch.folder(of: path), on: loop) { [unowned self] in read() }

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
        if version == nil || FileVersion(path: path) != version { read() }
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
        self.version = nil
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable() }
        defer { close(descriptor) }
        guard let version = FileVersion(descriptor: descriptor) else { throw unreadable() }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= EndpointFile.bytesMax {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw unreadable() }
            if count == 0 { break }
            bytes.append(contentsOf: piece[..<count])
        }
        // Before it was read: what is written meanwhile makes another version.
        self.version = version
        return bytes
    }

    private func unreadable() -> EndpointFileError { .unreadable(reason: String(cString: strerror(errno))) }
}
