// SPDX-License-Identifier: Apache-2.0
// The other end of a channel: a plain non-blocking socket in the test's hands.

import CWeirSystem
import Glibc
import Testing
import WeirEventLoop

/// A connected socket, closed when it goes.
final class Peer {
    private(set) var descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close() }

    /// Connects to a listening address; loopback connects without anybody accepting.
    static func connected(to address: SocketAddress) throws(SystemCallError) -> Peer {
        let peer = Peer(descriptor: weir_socket(address.family))
        peer.setBlocking(true)
        let result =
            switch address {
            case .ipv4(let value, let port): connect4(peer.descriptor, value, port)
            case .unix(let path): connectUnix(peer.descriptor, path)
            case .ipv6: Int32(-1)
            }
        let error = errno
        peer.setBlocking(false)
        guard result == 0 else { throw SystemCallError("connect", errno: error, subject: "\(address)") }
        return peer
    }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Ends this side; receiving still works.
    func endSending() {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Makes the kernel reset the connection when it is closed (TCP only).
    func closeWithReset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    /// Asks for as much room in the kernel's send buffer as there may be.
    func enlargeSendBuffer() {
        var count: Int32 = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &count, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Gives the kernel as much as it takes now; says how much.
    @discardableResult
    func send(_ bytes: some Collection<UInt8>) -> Int {
        let bytes = [UInt8](bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { weir_send(descriptor, $0.baseAddress! + sent, $0.count - sent, 0) }
            if count <= 0 { break }
            sent += count
        }
        return sent
    }

    func send(_ text: String) {
        #expect(send(Array(text.utf8)) == text.utf8.count)
    }

    /// What has come until now.
    func receive(upTo limit: Int = .max) -> (bytes: [UInt8], isEnd: Bool) {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while bytes.count < limit {
            let count = recv(descriptor, &piece, min(piece.count, limit - bytes.count), 0)
            if count == 0 { return (bytes, true) }
            if count < 0 { return (bytes, errno != EAGAIN) }
            bytes.append(contentsOf: piece[..<count])
        }
        return (bytes, false)
    }

    private func setBlocking(_ isBlocking: Bool) {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK)
    }

    private static func connect4(_ descriptor: Int32, _ value: UInt32, _ port: UInt16) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = value.bigEndian
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func connectUnix(_ descriptor: Int32, _ path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
