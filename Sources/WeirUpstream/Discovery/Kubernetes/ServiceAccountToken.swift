// SPDX-License-Identifier: Apache-2.0
// By what a pod is known to the API server. The kubelet writes another before the last one ends, so it is read for each
// request; that is a few microseconds, on the control loop.

import Glibc
package import WeirEventLoop

/// Reads the token of a service account.
package enum ServiceAccountToken {
    package static let bytesMax = 16 << 10

    /// The token in `folder`; nil where there is none.
    ///
    /// - Throws: where there is one that cannot be shown to anybody.
    package static func read(in folder: String) throws(KubernetesProblem) -> String? {
        let file = "\(folder)/token"
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .token(file: file, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw .token(file: file, reason: String(cString: strerror(errno))) }
        // Some who write it end the line.
        let isBlank = { (byte: UInt8) in byte == 0x0A || byte == 0x0D || byte == 0x20 }
        let token = Array(bytes[..<count].reversed().drop(while: isBlank).reversed())
        guard !token.isEmpty, count <= bytesMax, token.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .token(file: file, reason: "it is empty, too long, or has what is not visible ASCII")
        }
        return String(decoding: token, as: UTF8.self)
    }
}

/// A token that a server has refused (401), until the kubelet has written another.
package struct RefusedToken: Equatable, Sendable {
    /// How often the file is looked at.
    package static let lookInterval: Nanoseconds = 1_000_000_000

    private let folder: String
    private let token: String?

    /// - Parameter token: as it was shown; nil where none was.
    package init(_ token: String?, in folder: String) {
        self.token = token
        self.folder = folder
    }

    /// Whether there is another one to show. What cannot be read just now is none.
    package var isReplaced: Bool {
        guard let present = try? ServiceAccountToken.read(in: folder) else { return false }
        return present != token
    }
}
