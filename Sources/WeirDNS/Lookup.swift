// SPDX-License-Identifier: Apache-2.0
// One question to c-ares and its answer, taken out of C's hands. On the resolver's thread.

import CCares
import WeirEventLoop

/// One lookup, which c-ares keeps until it calls back.
final class Lookup {
    /// What c-ares has found.
    enum Found {
        case addresses([SocketAddress], timeToLive: UInt32)
        case bytes([UInt8])
        case failure(DNSFailure)
    }

    let name: String
    let answer: (Found) -> Void
    /// Keeps the resolver for as long as c-ares may call back.
    var resolver: DNSResolver?

    init(name: String, answer: @escaping (Found) -> Void) {
        self.name = name
        self.answer = answer
    }

    func finish(_ found: Found) {
        resolver?.finish(self, found)
        resolver = nil
    }

    private static func taken(_ argument: UnsafeMutableRawPointer?) -> Lookup {
        guard let argument else { preconditionFailure("an answer to no lookup") }
        return Unmanaged<Lookup>.fromOpaque(argument).takeRetainedValue()
    }

    static let addressesCame: ares_addrinfo_callback = { argument, status, _, found in
        let lookup = taken(argument)
        guard status == cares_success, let found else {
            return lookup.finish(.failure(DNSFailure(status, lookup.name)))
        }
        defer { ares_freeaddrinfo(found) }
        var list: [SocketAddress] = []
        var timeToLive = Int32.max
        var node = found.pointee.nodes
        while let present = node {
            if let address = SocketAddress(present.pointee.ai_addr), !list.contains(address) { list.append(address) }
            timeToLive = min(timeToLive, present.pointee.ai_ttl)
            node = present.pointee.ai_next
        }
        var alias = found.pointee.cnames
        while let present = alias {
            timeToLive = min(timeToLive, present.pointee.ttl)
            alias = present.pointee.next
        }
        lookup.finish(.addresses(list.inNumericOrder, timeToLive: UInt32(clamping: timeToLive)))
    }

    static let bytesCame: ares_callback = { argument, status, _, bytes, count in
        let lookup = taken(argument)
        guard status == cares_success, let bytes else {
            return lookup.finish(.failure(DNSFailure(status, lookup.name)))
        }
        lookup.finish(.bytes(Array(UnsafeBufferPointer(start: bytes, count: Int(count)))))
    }
}

extension [SocketAddress] {
    /// A server turns the order of its answers round; that is no change.
    fileprivate var inNumericOrder: [SocketAddress] {
        func key(_ address: SocketAddress) -> (Int, UInt64, UInt64) {
            switch address {
            case .ipv4(let value, _): (0, 0, UInt64(value))
            case .ipv6(let upper, let lower, _): (1, upper, lower)
            case .unix: (2, 0, 0)
            }
        }
        return sorted { key($0) < key($1) }
    }
}
