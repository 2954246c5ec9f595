// SPDX-License-Identifier: Apache-2.0
// An address on which a server listens, and how each of its loops does. Made when the server is; used again by whoever
// adds a loop.

import Glibc
import WeirEventLoop

/// Where the loops of a server listen.
struct ListeningPlace: Sendable {
    /// As it was bound, with the port that the kernel gave.
    let address: SocketAddress
    /// The first loop's descriptor.
    let descriptor: Int32
    /// Whether all loops watch one socket, rather than each one of its own (SO_REUSEPORT).
    let isShared: Bool
    /// Where its connections begin with a TLS handshake: the address that says by which certificates.
    private let secureAddress: ListenAddress?
    /// What the first loop's listener removes when it closes.
    let socketFile: SocketFile?
    let options: ListenerOptions

    /// Binds an address of the settings.
    init(_ address: ListenAddress, _ settings: Settings, socketBufferBytes: Int = 0) throws(SystemCallError) {
        var options = ListenerOptions(
            backlog: Int32(settings.backlog),
            fastOpenQueue: Int32(settings.fastOpenQueue),
            socketBufferBytes: socketBufferBytes
        )
        let wanted: SocketAddress
        secureAddress = address.isTLS ? address : nil
        switch address.withoutTLS {
        case .unix(let path, let mode):
            options.unixMode = mode
            wanted = .unix(path: path)
        case .tcp(let host?, let port):
            guard let address = SocketAddress(host: host == "localhost" ? "127.0.0.1" : host, port: port) else {
                throw SystemCallError("bind", errno: EADDRNOTAVAIL, subject: "\(host):\(port)")
            }
            wanted = address
        case .tcp(nil, let port), .tls(_, let port, _):
            options.isDualStack = true
            wanted = .ipv6(0, 0, port: port)
        }
        self.options = options
        (descriptor, self.address) = try Self.bind(wanted, options)
        if case .unix(let path) = wanted {
            isShared = true
            socketFile = SocketFile(at: path)
        } else {
            isShared = false
            socketFile = nil
        }
    }

    /// Takes over a socket that another process bound.
    init(inherited descriptor: Int32, socketBufferBytes: Int = 0) throws(SystemCallError) {
        address = try Listener.inherit(descriptor, socketBufferBytes: socketBufferBytes)
        self.descriptor = descriptor
        isShared = true
        secureAddress = nil
        socketFile = nil
        options = ListenerOptions()
    }

    /// What the loop listens by; all but the first one's have still to begin.
    func listener(of member: ServerLoop) throws(SystemCallError) -> Listener {
        let index = member.loop.index
        let own: Int32
        if index == 0 {
            own = descriptor
        } else if isShared {
            own = try Listener.duplicate(descriptor, of: address)
        } else {
            own = try Listener.bind(address, options: options, reusesPort: true, listens: false).descriptor
        }
        return Listener(
            descriptor: own,
            address: address,
            isShared: isShared,
            socketFile: index == 0 ? socketFile : nil,
            open: secureAddress.map { member.openSecure($0) } ?? member.open
        )
    }

    /// A host without IPv6 still gets "all addresses", as IPv4.
    private static func bind(
        _ address: SocketAddress,
        _ options: ListenerOptions
    ) throws(SystemCallError) -> (Int32, SocketAddress) {
        do throws(SystemCallError) {
            try Listener.checkFree(address, options: options)
            return try Listener.bind(address, options: options, reusesPort: true)
        } catch {
            guard options.isDualStack, error.errno == EAFNOSUPPORT || error.errno == EADDRNOTAVAIL,
                case .ipv6(_, _, let port) = address
            else { throw error }
            let address = SocketAddress.ipv4(0, port: port)
            try Listener.checkFree(address, options: options)
            return try Listener.bind(address, options: options, reusesPort: true)
        }
    }
}
