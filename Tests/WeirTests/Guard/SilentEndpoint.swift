// SPDX-License-Identifier: Apache-2.0
// An endpoint that takes requests and answers none. Used by one test, on its thread.

import Glibc
import Testing
import WeirTestSupport

/// A listening Unix socket that reads when it is asked how many requests have come.
final class SilentEndpoint {
    private let folder: ScratchFolder
    private let listener: Int32
    private var silent: [Int32] = []
    private var asked: [Int32] = []

    init() throws {
        folder = try ScratchFolder()
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(folder.path)/silent".utf8) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0 && listen(listener, 128) == 0)
    }

    deinit {
        for connection in silent + asked { close(connection) }
        close(listener)
    }

    var url: String { "unix:\(folder.path)/silent" }

    /// How many connections have brought a request.
    var requestCount: Int {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            silent.append(connection)
        }
        var byte: UInt8 = 0
        for connection in silent where recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 1 {
            asked.append(connection)
        }
        silent.removeAll { asked.contains($0) }
        return asked.count
    }
}
