// SPDX-License-Identifier: Apache-2.0
// A listening socket that no loop watches: the test accepts when it wants to.

import CWeirSystem
import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport

/// The place that a channel connects to.
final class Backlog {
    enum Kind: CaseIterable {
        case ipv4, ipv6, unix
    }

    let address: SocketAddress
    private var descriptor: Int32
    private let folder: ScratchFolder?

    init(_ kind: Kind = .unix, count: Int32 = 64) throws {
        let wanted: SocketAddress
        switch kind {
        case .ipv4: wanted = .ipv4(0x7F00_0001, port: 0)
        case .ipv6: wanted = .ipv6(0, 1, port: 0)
        case .unix: wanted = .unix(path: "")
        }
        if case .unix = kind {
            let folder = try ScratchFolder()
            self.folder = folder
            let path = SocketAddress.unix(path: "\(folder.path)/s")
            (descriptor, address) = try Listener.bind(path, options: ListenerOptions(backlog: count), reusesPort: false)
        } else {
            folder = nil
            (descriptor, address) = try Listener.bind(
                wanted,
                options: ListenerOptions(backlog: count),
                reusesPort: false
            )
        }
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    /// The next connection, which is there or on its way.
    func accept() throws -> Peer {
        var accepted: Int32 = -1
        eventually("a connection comes") {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            accepted = weir_accept(descriptor, &storage, &length)
            return accepted >= 0
        }
        try #require(accepted >= 0)
        return Peer(descriptor: accepted)
    }

    /// Whether this machine can listen there: some containers have no IPv6.
    static func works(_ kind: Kind) -> Bool { (try? Backlog(kind)) != nil }
}
