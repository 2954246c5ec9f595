// SPDX-License-Identifier: Apache-2.0
// An endpoint that does what the test says: a listening socket that no loop watches.

import CWeirSystem
import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

/// Listens on a Unix socket of its own, or on a loopback port that the kernel chose.
final class ScriptedEndpoint {
    let url: EndpointURL
    /// The one connection of a test that needs no other.
    var kept: ScriptedPeer?
    private var descriptor: Int32
    private let folder: ScratchFolder?

    /// - Parameter backlog: how many connections the kernel takes while the test accepts none.
    init(weight: Int = 1, isTCP: Bool = false, backlog: Int32 = 64) throws {
        let folder = isTCP ? nil : try ScratchFolder()
        self.folder = folder
        let place: SocketAddress = folder.map { .unix(path: "\($0.path)/s") } ?? .ipv4(0x7F00_0001, port: 0)
        let bound: SocketAddress
        (descriptor, bound) = try Listener.bind(place, options: ListenerOptions(backlog: backlog), reusesPort: false)
        url = EndpointURL(place: .address(bound), weight: weight)
    }

    deinit { close() }

    /// From now on connections are refused.
    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    /// The next connection, which is there or on its way.
    func accept(sourceLocation: SourceLocation = #_sourceLocation) throws -> ScriptedPeer {
        var peer: ScriptedPeer?
        eventually("a connection comes", sourceLocation: sourceLocation) {
            peer = acceptPresent()
            return peer != nil
        }
        return try #require(peer)
    }

    /// A connection that is there already.
    func acceptPresent() -> ScriptedPeer? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = weir_accept(descriptor, &storage, &length)
        return accepted >= 0 ? ScriptedPeer(descriptor: accepted) : nil
    }
}

/// The endpoint's end of one connection; closed when it goes.
final class ScriptedPeer {
    private var descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    func endSending() {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Gives the kernel everything, which has room for it; nothing where the other side has gone.
    func send(_ bytes: some Collection<UInt8>) {
        let bytes = [UInt8](bytes)
        guard !bytes.isEmpty else { return }
        let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        #expect(count == bytes.count || errno == EPIPE || errno == ECONNRESET)
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Whether the connection ends, which the kernel may report a moment after it was closed.
    func receivesEnd() -> Bool {
        for _ in 0..<50 {
            if receive().isEnd { return true }
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&wanted, 1, 100)
        }
        return false
    }

    /// What has come until now.
    func receive() -> (text: String, isEnd: Bool) {
        let (bytes, isEnd) = receiveAll()
        return (String(decoding: bytes, as: UTF8.self), isEnd)
    }

    func receiveBytes() -> [UInt8] { receiveAll().bytes }

    private func receiveAll() -> (bytes: [UInt8], isEnd: Bool) {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &piece, piece.count, Int32(MSG_DONTWAIT))
            if count <= 0 {
                let isEnd = count == 0 || errno != EAGAIN
                return (bytes, isEnd)
            }
            bytes.append(contentsOf: piece[..<count])
        }
    }
}
