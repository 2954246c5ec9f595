// SPDX-License-Identifier: Apache-2.0
// A listening socket, and what becomes of the connections that it accepts.

import CWeirSystem
import Glibc

/// How a listening socket is made.
package struct ListenerOptions: Sendable {
    package var backlog: Int32
    /// Length of the TCP Fast Open queue (RFC 7413); 0 is off.
    package var fastOpenQueue: Int32
    /// Permission bits of a Unix socket's file; nil leaves them to the umask.
    package var unixMode: UInt16?
    /// One IPv6 socket takes IPv4 connections too.
    package var isDualStack: Bool
    /// What the kernel holds for each connection in each direction; 0 leaves it to the kernel.
    package var socketBufferBytes: Int

    package init(
        backlog: Int32 = 1024,
        fastOpenQueue: Int32 = 0,
        unixMode: UInt16? = nil,
        isDualStack: Bool = false,
        socketBufferBytes: Int = 0
    ) {
        self.backlog = backlog
        self.fastOpenQueue = fastOpenQueue
        self.unixMode = unixMode
        self.isDualStack = isDualStack
        self.socketBufferBytes = socketBufferBytes
    }
}

/// The protocol that a listener's connections speak: called on the loop's thread for each new channel, it sets the
/// context and answers the table of its events (which it keeps alive as long as the loop lives).
package typealias ChannelOpener = @Sendable (EventLoop, Channel, SocketAddress) -> UnsafePointer<ChannelEvents>

/// A bound and listening descriptor of one loop.
package struct Listener: Sendable {
    package let descriptor: Int32
    package let address: SocketAddress
    /// Several loops watch the same socket (Unix and inherited ones); TCP listeners are one per loop (SO_REUSEPORT).
    package let isShared: Bool
    /// What is removed when this listener closes: nil for TCP, for inherited sockets, and for all but one of the
    /// listeners that share a socket.
    let socketFile: SocketFile?
    let open: ChannelOpener

    package init(
        descriptor: Int32,
        address: SocketAddress,
        isShared: Bool,
        socketFile: SocketFile? = nil,
        open: @escaping ChannelOpener
    ) {
        self.descriptor = descriptor
        self.address = address
        self.isShared = isShared
        self.socketFile = socketFile
        self.open = open
    }

    /// Binds, and listens unless that is left to ``listen(options:)``: from then on the kernel gives the socket connections.
    /// - Throws: `SystemCallError` that names the call and the address.
    package static func bind(
        _ address: SocketAddress,
        options: ListenerOptions,
        reusesPort: Bool,
        listens: Bool = true
    ) throws(SystemCallError) -> (descriptor: Int32, address: SocketAddress) {
        let subject = address.description
        let descriptor = weir_socket(address.family)
        guard descriptor >= 0 else { throw SystemCallError("socket", errno: errno, subject: subject) }
        do throws(SystemCallError) {
            if case .unix(let path) = address {
                // A socket that a killed process left behind would refuse the bind; a live one, or a file that is no
                // socket, still does.
                if isSocket(path), !isAlive(address) { unlink(path) }
            } else {
                try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1, subject)
                if reusesPort { try set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1, subject) }
                // Accepted sockets inherit it: small answers go out at once without a call per connection.
                try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1, subject)
                // As well, and before the handshake, which tells the peer how much may be on its way.
                try SocketBuffers.set(descriptor, options.socketBufferBytes, subject)
                if case .ipv6 = address {
                    try set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, options.isDualStack ? 0 : 1, subject)
                }
                if options.fastOpenQueue > 0 {
                    try set(descriptor, Int32(IPPROTO_TCP), TCP_FASTOPEN, options.fastOpenQueue, subject)
                }
            }
            guard address.withKernelForm({ Glibc.bind(descriptor, $0, $1) }) == 0 else {
                throw SystemCallError("bind", errno: errno, subject: subject)
            }
            if case .unix(let path) = address, let mode = options.unixMode { chmod(path, mode_t(mode)) }
            if listens { try listen(descriptor, options, subject) }
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
        guard case .unix = address else { return (descriptor, SocketAddress(of: descriptor) ?? address) }
        return (descriptor, address)
    }

    /// Begins to listen; does nothing where the socket does already.
    package func listen(options: ListenerOptions) throws(SystemCallError) {
        if !isShared { try Self.listen(descriptor, options, address.description) }
    }

    private static func listen(
        _ descriptor: Int32,
        _ options: ListenerOptions,
        _ subject: String
    ) throws(SystemCallError) {
        guard Glibc.listen(descriptor, options.backlog) == 0 else {
            throw SystemCallError("listen", errno: errno, subject: subject)
        }
    }

    /// Takes over a socket that another process bound and listens on: sets what the loops need, and says its address.
    ///
    /// The backlog and the permissions stay as they are. Accepted sockets get TCP_NODELAY and bounded buffers as with
    /// ``bind``.
    /// - Throws: `SystemCallError` that names the descriptor, if it is no listening stream socket.
    package static func inherit(
        _ descriptor: Int32,
        socketBufferBytes: Int = 0
    ) throws(SystemCallError) -> SocketAddress {
        let subject = "descriptor \(descriptor)"
        guard let address = SocketAddress(of: descriptor) else {
            throw SystemCallError("getsockname", errno: errno, subject: subject)
        }
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0 else {
            throw SystemCallError("getsockopt", errno: errno, subject: subject)
        }
        guard isListening != 0 else { throw SystemCallError("accept", errno: EINVAL, subject: subject) }
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else { throw SystemCallError("fcntl", errno: errno, subject: subject) }
        if address.family != AF_UNIX {
            try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1, subject)
            try SocketBuffers.set(descriptor, socketBufferBytes, subject)
        }
        return address
    }

    /// Another descriptor of the same socket, for another loop.
    package static func duplicate(_ descriptor: Int32, of address: SocketAddress) throws(SystemCallError) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemCallError("fcntl", errno: errno, subject: address.description) }
        return copy
    }

    package func close() {
        // The file goes first: while the descriptor is open, nobody else can have bound a socket there.
        socketFile?.remove()
        _ = Glibc.close(descriptor)
    }

    private static func set(
        _ descriptor: Int32,
        _ level: Int32,
        _ option: Int32,
        _ value: Int32,
        _ subject: String
    ) throws(SystemCallError) {
        var value = value
        guard setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw SystemCallError("setsockopt", errno: errno, subject: subject)
        }
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Throws if somebody listens on a TCP address: with SO_REUSEPORT two processes of one user would share it silently.
    ///
    /// To bind is enough to find out. What listened here, too, would be given connections, and reset them as it closes.
    /// Of two that look at the same time, neither finds the other.
    package static func checkFree(_ address: SocketAddress, options: ListenerOptions) throws(SystemCallError) {
        guard let port = address.port, port != 0 else { return }
        let (descriptor, _) = try bind(address, options: options, reusesPort: false, listens: false)
        _ = Glibc.close(descriptor)
    }

    private static func isAlive(_ address: SocketAddress) -> Bool {
        let probe = weir_socket(AF_UNIX)
        guard probe >= 0 else { return true }
        defer { _ = Glibc.close(probe) }
        return address.withKernelForm { connect(probe, $0, $1) } == 0 || errno == EAGAIN
    }
}
