// SPDX-License-Identifier: Apache-2.0
// Names to addresses by the system's resolver.

import Glibc

extension SocketAddress {
    /// All addresses of a name, IPv4 and IPv6, in the resolver's order; empty where it has none now. Blocks: never on a
    /// loop's thread.
    package static func resolve(_ name: String, port: UInt16) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var entry = first
        while let present = entry {
            if let address = SocketAddress(present.pointee.ai_addr)?.withPort(port), !found.contains(address) {
                found.append(address)
            }
            entry = present.pointee.ai_next
        }
        return found
    }
}
