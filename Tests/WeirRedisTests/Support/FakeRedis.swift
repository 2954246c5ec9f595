// SPDX-License-Identifier: Apache-2.0
// Something that listens where a Redis should, and says what the test wants.

import Glibc
import Testing
import WeirTestSupport

/// A listening Unix socket; takes connections only when it is told to.
final class FakeRedis {
    private let folder: ScratchFolder
    private let listener: Int32
    private(set) var connections: [Int32] = []

    init() throws {
        folder = try ScratchFolder()
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(folder.path)/redis".utf8) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0 && listen(listener, 16) == 0)
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    }

    deinit {
        for connection in connections { close(connection) }
        close(listener)
    }

    var url: String { "unix:\(folder.path)/redis" }

    /// Takes the connections that wait.
    func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            connections.append(connection)
        }
    }

    /// Says something on the last connection.
    func say(_ text: String) {
        guard let connection = connections.last else { return }
        #expect(Glibc.send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count)
    }

    func hangUp() {
        while let connection = connections.popLast() { close(connection) }
    }
}
