// SPDX-License-Identifier: Apache-2.0
// Says when something in a folder may have changed, by inotify. Confined to its loop's thread.

import Glibc

/// Calls `changed` when a file in the folder was written to its end, or something was moved into it: an editor's new file,
/// or the `..data` link of a mounted ConfigMap. Not when a file is merely made or truncated: its text is not there yet.
///
/// It may miss things (a link into another folder, a folder that is made anew, a kernel without instances left), so its
/// owner also looks by itself from time to time, and calls `renew` then.
package final class FolderWatch {
    private let path: String
    private let loop: EventLoop
    private let changed: () -> Void
    private var queue: DescriptorWatch?

    package init(_ path: String, on loop: EventLoop, changed: @escaping () -> Void) {
        self.path = path
        self.loop = loop
        self.changed = changed
    }

    deinit {
        precondition(queue == nil, "a folder was let go while it was watched")
    }

    /// Watches the folder that is there now, under this path.
    package func renew() {
        if queue == nil { open() }
        guard let queue else { return }
        // The folder that is watched already gets no second watch.
        _ = inotify_add_watch(queue.descriptor, path, UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_ONLYDIR))
    }

    package func stop() {
        guard let queue else { return }
        loop.unwatch(queue)
        _ = close(queue.descriptor)
        self.queue = nil
    }

    private func open() {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return }
        let watch = DescriptorWatch(descriptor) { [unowned self] _, _ in drain(descriptor) }
        do throws(SystemCallError) {
            try loop.watch(watch, for: .readable)
            queue = watch
        } catch {
            _ = close(descriptor)
        }
    }

    /// The folder that the file at this path is in.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Which of the events came does not matter: the file is looked at once for all of them.
    private func drain(_ descriptor: Int32) {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { bytes in
            while read(descriptor, bytes.baseAddress, bytes.count) > 0 {}
        }
        changed()
    }
}
