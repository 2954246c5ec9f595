// SPDX-License-Identifier: Apache-2.0
// What this instance calls itself towards Consul's clients.

import FoundationEssentials
import Glibc
import WeirEventLoop
import WeirUpstream

extension HealthNode {
    /// The host's name, and the first of its addresses that others can reach: a pod's own.
    static func ofThisHost() -> HealthNode {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return HealthNode(
            id: UUID().uuidString.lowercased(),
            name: text.isEmpty ? "weir" : text,
            address: hostAddress ?? "127.0.0.1"
        )
    }

    /// IPv4 before IPv6; no loopback, no address of one link.
    private static var hostAddress: String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var found: [SocketAddress] = []
        var entry = first
        while let present = entry {
            entry = present.pointee.ifa_next
            let flags = Int32(bitPattern: present.pointee.ifa_flags)
            guard flags & Int32(IFF_UP) != 0, flags & Int32(IFF_LOOPBACK) == 0,
                let address = SocketAddress(present.pointee.ifa_addr)
            else { continue }
            if case .ipv6(let upper, _, _) = address, upper >> 54 == 0xFE80 >> 6 { continue }
            found.append(address)
        }
        let four = found.first { if case .ipv4 = $0 { true } else { false } }
        return (four ?? found.first)?.host
    }
}

extension HealthRegistry {
    /// Where a new registry's indexes begin: above those of the one that this host had before, unless that saw a
    /// thousand changes in each second of its life.
    static var startIndexNow: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(1, time.tv_sec)) * 1000 + UInt64(time.tv_nsec / 1_000_000)
    }
}
