// SPDX-License-Identifier: Apache-2.0
// Socket addresses as plain values: to bind, and to say who the peer is.

package import Glibc

/// An IPv4, IPv6 or Unix address.
package enum SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// The four octets in network order, as one number in host order.
    case ipv4(UInt32, port: UInt16)
    /// The upper and lower 64 bits in host order.
    case ipv6(UInt64, UInt64, port: UInt16)
    case unix(path: String)

    /// An address from its text; nil if it is no IPv4 or IPv6 address.
    package init?(host: String, port: UInt16) {
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 {
            self = .ipv4(UInt32(bigEndian: four.s_addr), port: port)
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return nil }
        self = withUnsafeBytes(of: six) { bytes in
            .ipv6(
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                port: port
            )
        }
    }

    /// An address as libc's resolver says it; nil for a family that is neither IPv4 nor IPv6.
    package init?(_ address: UnsafeMutablePointer<sockaddr>?) {
        guard let address else { return nil }
        var storage = sockaddr_storage()
        let byteCount: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: byteCount = MemoryLayout<sockaddr_in>.size
        case AF_INET6: byteCount = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: byteCount))
        }
        self.init(storage)
    }

    /// The address as the kernel says it; IPv4 behind a dual-stack socket becomes IPv4.
    init(_ storage: sockaddr_storage) {
        self = withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = bytes.loadUnaligned(as: sockaddr_in.self)
                return .ipv4(UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
            case AF_INET6:
                let upper = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                let lower = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
                let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
                // A dual-stack listener reports IPv4 peers as ::ffff:a.b.c.d.
                if upper == 0, lower >> 32 == 0xFFFF {
                    return .ipv4(UInt32(truncatingIfNeeded: lower), port: port)
                }
                return .ipv6(upper, lower, port: port)
            default:
                return .unix(path: "")
            }
        }
    }

    /// The address that a socket is bound to; nil, with `errno` set, if the descriptor is no socket of these families.
    ///
    /// The name of an abstract Unix socket begins with `@`, as tools write it.
    init?(of descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0 else { return nil }
        switch Int32(storage.ss_family) {
        case AF_INET, AF_INET6:
            self.init(storage)
        case AF_UNIX:
            // `sun_path` begins after the family's two bytes; the kernel counts a path's final zero, where there is one.
            var name = withUnsafeBytes(of: storage) { bytes in
                Array(bytes[min(2, Int(length))..<min(Int(length), bytes.count)])
            }
            if name.first == 0 { name[0] = UInt8(ascii: "@") } else if name.last == 0 { name.removeLast() }
            self = .unix(path: String(decoding: name, as: UTF8.self))
        default:
            errno = EAFNOSUPPORT
            return nil
        }
    }

    package var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    package var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, _, let port): port
        case .unix: nil
        }
    }

    /// The address without its port: `10.0.0.1`, `::1`, `unix:`.
    package var host: String {
        switch self {
        case .ipv4(let value, _):
            return "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
        case .ipv6(let upper, let lower, _):
            var address = in6_addr()
            withUnsafeMutableBytes(of: &address) { bytes in
                bytes.storeBytes(of: upper.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: lower.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        case .unix(let path):
            return "unix:\(path)"
        }
    }

    package var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, let port): "[\(host)]:\(port)"
        case .unix: host
        }
    }

    /// Calls `body` with the kernel's form of the address.
    package func withKernelForm<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var storage = sockaddr_storage()
        let length = withUnsafeMutableBytes(of: &storage) { bytes -> Int in
            switch self {
            case .ipv4(let value, let port):
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                address.sin_addr.s_addr = value.bigEndian
                bytes.storeBytes(of: address, as: sockaddr_in.self)
                return MemoryLayout<sockaddr_in>.size
            case .ipv6(let upper, let lower, let port):
                bytes.storeBytes(of: sa_family_t(AF_INET6), as: sa_family_t.self)
                bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
                bytes.storeBytes(of: upper.bigEndian, toByteOffset: 8, as: UInt64.self)
                bytes.storeBytes(of: lower.bigEndian, toByteOffset: 16, as: UInt64.self)
                return MemoryLayout<sockaddr_in6>.size
            case .unix(let path):
                bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                let utf8 = Array(path.utf8.prefix(107))
                for (index, byte) in utf8.enumerated() { bytes[2 + index] = byte }
                return MemoryLayout<sockaddr_un>.size
            }
        }
        return withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}
