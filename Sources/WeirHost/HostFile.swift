// SPDX-License-Identifier: Apache-2.0
// Reads the small text files in which the kernel tells about the machine.

import Glibc

/// A file under a root that stands for `/`, so that tests can bring a machine of their own.
struct HostFile {
    /// What reading a file came to.
    enum Content: Equatable {
        case text(String)
        case missing
        case unreadable(errno: Int32)

        /// As ``BudgetSource/isUnread``.
        var isUnread: Bool {
            if case .unreadable(let code) = self { HostFile.passingFaults.contains(code) } else { false }
        }
    }

    /// Errors that say nothing of the file: no descriptor or memory was left, or the read was broken off.
    static let passingFaults: Set<Int32> = [EMFILE, ENFILE, ENOMEM, EIO, EINTR]

    /// Mount tables of busy nodes are the longest that mean something.
    static let bytesMax = 1 << 20
    /// More than nearly all of them have.
    private static let chunkBytes = 16 << 10

    /// The path as the machine knows it: `/proc/self/cgroup`.
    let path: String
    private let realPath: String

    init(_ path: String, root: String) {
        self.path = path
        realPath = root == "/" ? path : root + path
    }

    /// Reads the whole file, of a longer one the first ``bytesMax`` or a little more.
    func read() -> Content {
        // Without O_NONBLOCK, opening a pipe that somebody put there would wait for its writer.
        let file = open(realPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return Self.fault(errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count < Self.bytesMax {
            var result = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkBytes) { buffer, count in
                result = Glibc.read(file, buffer.baseAddress, buffer.count)
                count = max(0, result)
            }
            if result < 0 && errno == EINTR { continue }
            guard result >= 0 else { return Self.fault(errno) }
            if result == 0 { break }
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
        }
        return .text(String(decoding: bytes, as: UTF8.self))
    }

    /// How many entries a directory has, `.` and `..` apart; nil if it cannot be read.
    func entryCount() -> Int? {
        guard let directory = opendir(realPath) else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count - 2
    }

    private static func fault(_ code: Int32) -> Content {
        code == ENOENT || code == ENOTDIR ? .missing : .unreadable(errno: code)
    }
}
