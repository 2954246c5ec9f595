// SPDX-License-Identifier: Apache-2.0
// How names are looked up. A value, made at start.

package import WeirEventLoop

/// What a resolver may take and whom it asks. What is not set here comes from `/etc/resolv.conf`, as for every other
/// program: name servers, search domains, `ndots`.
package struct DNSOptions: Sendable {
    /// Which addresses are asked for.
    package enum Families: Sendable {
        case ipv4
        case ipv6
        case both
    }

    /// The name servers to ask, instead of the system's: `WEIR_DNS_SERVERS`.
    package var servers: [SocketAddress] = []
    /// How long a server has for an answer; it doubles with each round over the servers.
    package var timeout: Nanoseconds = 2_000_000_000
    /// How often each server is asked.
    package var attempts = 3
    /// Nil for those that this machine has addresses of: an answer that cannot be connected to is no endpoint.
    package var families: Families?
    /// Another file than `/etc/resolv.conf`.
    package var resolverFile: String?

    package init() {}

    /// The most servers that may be given.
    package static let serversMax = 8
    /// Answers beyond this come by TCP. What fits an IPv6 packet that nobody has to fragment (DNS flag day 2020).
    static let datagramBytesMax: Int32 = 1232

    /// Reads `10.0.0.10,127.0.0.1:5353,[fd00::10]:53`; the port is 53 unless it is given.
    ///
    /// - Throws: ``DNSServersError`` for what is no numeric address.
    package static func servers(_ text: some StringProtocol) throws(DNSServersError) -> [SocketAddress] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= serversMax else { throw .tooMany(count: parts.count) }
        var servers: [SocketAddress] = []
        for part in parts {
            let front = part.drop { $0 == " " }
            let text = String(front.reversed().drop { $0 == " " }.reversed())
            guard let server = server(text) else { throw .invalid(server: text) }
            servers.append(server)
        }
        return servers
    }

    private static func server(_ text: String) -> SocketAddress? {
        let portDefault: UInt16 = 53
        if let address = SocketAddress(host: text, port: portDefault) { return address }
        let isBracketed = text.hasPrefix("[")
        let end = isBracketed ? text.firstIndex(of: "]") : text.lastIndex(of: ":")
        guard let end else { return nil }
        let host = String(isBracketed ? text[..<end].dropFirst() : text[..<end])
        let rest = isBracketed ? text[text.index(after: end)...] : text[end...]
        guard host.contains(":") == isBracketed else { return nil }
        if rest.isEmpty { return SocketAddress(host: host, port: portDefault) }
        guard rest.hasPrefix(":"), rest.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(rest.dropFirst()), port > 0
        else { return nil }
        return SocketAddress(host: host, port: port)
    }
}

/// Why `WEIR_DNS_SERVERS` cannot be used.
package enum DNSServersError: Error, Equatable, CustomStringConvertible, Sendable {
    case invalid(server: String)
    case tooMany(count: Int)

    package var description: String {
        switch self {
        case .invalid(let server):
            "\(server.debugDescription) is no name server; write an address as 10.0.0.10, 10.0.0.10:53 or [fd00::10]:53"
        case .tooMany(let count): "the list has \(count) name servers; at most \(DNSOptions.serversMax) are allowed"
        }
    }
}
