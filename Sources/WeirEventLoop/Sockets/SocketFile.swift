// SPDX-License-Identifier: Apache-2.0
// The file of a Unix socket that this process bound, so that exactly this file is removed at the end.

import Glibc

/// The file that `bind` made for a Unix socket. One listener of those that share the socket owns it.
package struct SocketFile: Sendable, Equatable {
    package let path: String
    private let device: dev_t
    private let inode: ino_t

    /// The socket that lies at `path` now; nil if there is none.
    package init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another has taken its place: that one belongs to whoever bound it.
    func remove() {
        guard SocketFile(at: path) == self else { return }
        unlink(path)
    }
}
