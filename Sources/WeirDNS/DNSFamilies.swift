// SPDX-License-Identifier: Apache-2.0
// Which kinds of addresses are of use here.

import Glibc

extension DNSOptions.Families {
    /// What this machine has addresses of, loopback and link-local ones aside (as AI_ADDRCONFIG of RFC 3493 section 6.1,
    /// which c-ares 1.18 does not know); both where it has none.
    static var ofThisMachine: Self {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return .both }
        defer { freeifaddrs(first) }
        var (hasIPv4, hasIPv6) = (false, false)
        var entry = first
        while let present = entry {
            entry = present.pointee.ifa_next
            let isLoopback = present.pointee.ifa_flags & UInt32(IFF_LOOPBACK) != 0
            guard !isLoopback, let address = present.pointee.ifa_addr else { continue }
            switch Int32(address.pointee.sa_family) {
            case AF_INET: hasIPv4 = true
            case AF_INET6:
                // fe80::/10 behind family, port and flow label.
                let bytes = UnsafeRawBufferPointer(start: address, count: MemoryLayout<sockaddr_in6>.size)
                if bytes[8] != 0xFE || bytes[9] & 0xC0 != 0x80 { hasIPv6 = true }
            default: continue
            }
        }
        return hasIPv4 == hasIPv6 ? .both : hasIPv4 ? .ipv4 : .ipv6
    }

    var socketFamily: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .both: AF_UNSPEC
        }
    }
}
