// SPDX-License-Identifier: Apache-2.0
// Says when the configuration file is another than the one that was read. Confined to its loop's thread.

import WeirEventLoop

/// Calls `changed` a moment after a change, once for all that an editor or a kubelet does to the folder meanwhile: a file
/// that is written in place, one that is moved over it, or the `..data` link of a mounted ConfigMap.
///
/// Changes that inotify does not tell (a link into another folder, a network's file system) are seen at the next look.
final class ConfigurationWatch {
    /// How long the folder must be quiet before the file is read.
    static let quietNanoseconds: Nanoseconds = 100_000_000

    /// How often the file is looked at without being told.
    static let lookInterval: Nanoseconds = 10_000_000_000

    private let path: String
    private let loop: EventLoop
    private let changed: () -> Void
    /// Of the file that was read last; nil where there was none.
    private var version: FileVersion?
    private lazy var folder = FolderWatch(FolderWatch.folder(of: path), on: loop) { [unowned self] in wait() }
    private lazy var quietTimer = LoopTimer { [unowned self] _ in lookAtFile() }
    private lazy var lookTimer = LoopTimer { [unowned self] _ in look() }

    /// - Parameter version: that of the file which was read last, so that what came since is seen.
    init(_ path: String, version: FileVersion?, on loop: EventLoop, changed: @escaping () -> Void) {
        self.path = path
        self.version = version
        self.loop = loop
        self.changed = changed
    }

    func start() { look() }

    func stop() {
        loop.cancel(quietTimer)
        loop.cancel(lookTimer)
        folder.stop()
    }

    /// The file is about to be read, whoever asked for it.
    func noteRead() { version = FileVersion(path: path) }

    private func wait() {
        loop.cancel(quietTimer)
        loop.schedule(quietTimer, at: loop.now &+ Self.quietNanoseconds)
    }

    private func look() {
        loop.schedule(lookTimer, at: loop.now &+ Self.lookInterval)
        folder.renew()
        lookAtFile()
    }

    private func lookAtFile() {
        if FileVersion(path: path) != version { changed() }
    }
}
