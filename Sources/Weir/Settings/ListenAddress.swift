// SPDX-License-Identifier: Apache-2.0
// Where a listener is bound: the type, and the form in which it is written in WEIR_LISTEN.

import Glibc

/// Where a listener is bound.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A TCP port. Without a host: all addresses, IPv4 and IPv6. A host is a numeric address without brackets, or
    /// `localhost`. Port 0 lets the kernel choose.
    case tcp(host: String?, port: UInt16)

    /// As ``tcp(host:port:)``, with TLS: by what the address has of its own, and else by ``Settings/tls``.
    case tls(host: String?, port: UInt16, own: TLSOptions = TLSOptions())

    /// A Unix socket at an absolute path of at most ``unixPathBytesMax`` bytes, with these permission bits
    /// (0 to 0o777) if given and those of the umask if not.
    case unix(path: String, mode: UInt16?)

    /// The longest Unix socket path in bytes: `sun_path` holds 108 with the final zero.
    public static let unixPathBytesMax = 107

    /// Reads `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, each of these behind `tls://` and with
    /// options as `;cert=/tls/a.crt;key=/tls/a.key;min=1.3`, or `unix:/run/weir.sock;mode=0660`; nil if the text is none of
    /// them.
    public init?(_ text: some StringProtocol) {
        if text.hasPrefix("unix:") {
            self.init(unix: text.dropFirst(5))
        } else if text.hasPrefix("tls://") {
            let parts = text.dropFirst(6).split(separator: ";", omittingEmptySubsequences: false).map { Substring($0) }
            guard case .tcp(let host, let port) = ListenAddress(tcp: parts[0]), let own = TLSOptions(parts.dropFirst())
            else { return nil }
            self = .tls(host: host, port: port, own: own)
        } else {
            self.init(tcp: text)
        }
    }

    /// The form in which it is written in `WEIR_LISTEN`.
    public var description: String {
        switch self {
        case .tcp(let host, let port):
            let host = host ?? ""
            return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .tls(_, _, let own):
            return "tls://\(withoutTLS.description)\(own.text)"
        case .unix(let path, let mode):
            guard let mode else { return "unix:\(path)" }
            return "unix:\(path);mode=0\(String(mode, radix: 8))"
        }
    }

    /// Whether the port is 0, so that two listeners of this address do not meet.
    var isChosenByKernel: Bool {
        if case .tcp(_, port: 0) = withoutTLS { true } else { false }
    }

    var isTLS: Bool {
        if case .tls = self { true } else { false }
    }

    /// The address that is bound.
    var withoutTLS: ListenAddress {
        if case .tls(let host, let port, _) = self { .tcp(host: host, port: port) } else { self }
    }

    private init?(tcp text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"),
            let portNumber = Int(decimal: text[text.index(after: colon)...]),
            let port = UInt16(exactly: portNumber)
        else { return nil }
        let host = String(text[..<colon])
        if host.isEmpty {
            self = .tcp(host: nil, port: port)
        } else if host.hasPrefix("["), host.hasSuffix("]") {
            let address = String(host.dropFirst().dropLast())
            guard Self.isNumeric(address, family: AF_INET6) else { return nil }
            self = .tcp(host: address, port: port)
        } else if host == "localhost" || Self.isNumeric(host, family: AF_INET) {
            self = .tcp(host: host, port: port)
        } else {
            return nil
        }
    }

    private init?(unix text: some StringProtocol) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        let path = String(parts[0])
        guard path.hasPrefix("/"), path.utf8.count <= Self.unixPathBytesMax, !path.utf8.contains(0) else { return nil }
        switch parts.count {
        case 1:
            self = .unix(path: path, mode: nil)
        case 2 where parts[1].hasPrefix("mode="):
            let digits = parts[1].dropFirst(5)
            guard digits.utf8.first != UInt8(ascii: "+"), let mode = UInt16(digits, radix: 8), mode <= 0o777 else {
                return nil
            }
            self = .unix(path: path, mode: mode)
        default:
            return nil
        }
    }

    private static func isNumeric(_ host: String, family: Int32) -> Bool {
        // Large enough for an in_addr and an in6_addr, the two that inet_pton writes.
        var address = in6_addr()
        // A zero inside would end the C string early and hide what follows it.
        return !host.utf8.contains(0) && inet_pton(family, host, &address) == 1
    }
}
