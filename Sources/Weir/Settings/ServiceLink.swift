// SPDX-License-Identifier: Apache-2.0
// Tells the variables that Kubernetes injects for Services ("service links") from settings. Pure.

import WeirEventLoop

/// The variables that the kubelet injects into every pod for each Service of its namespace.
///
/// A Service called `weir` gives `WEIR_SERVICE_HOST`, `WEIR_PORT_80_TCP_ADDR` and so on, one called `weir-canary` gives
/// `WEIR_CANARY_SERVICE_HOST`: nobody chose them as settings, and a pod must start next to any Service. The value must
/// be what the kubelet writes under such a name: `WEIR_PORT=8080` is somebody's wish, not a link.
package enum ServiceLink: Equatable, CaseIterable {
    /// An IP address: `…_SERVICE_HOST`, `…_PORT_<n>_<protocol>_ADDR`.
    case address
    /// A port: `…_SERVICE_PORT`, `…_SERVICE_PORT_<port's name>`, `…_PORT_<n>_<protocol>_PORT`.
    case port
    /// `tcp://10.0.0.1:80`: `…_PORT`, `…_PORT_<n>_<protocol>`.
    case url
    /// `tcp`, `udp` or `sctp`: `…_PORT_<n>_<protocol>_PROTO`.
    case transport

    /// Whether the kubelet may have injected this variable.
    package static func matches(_ name: String, value: String) -> Bool {
        forms(of: name).contains { $0.fits(value) }
    }

    /// What the kubelet would write under this name; several where Services of different names share it, none where it
    /// injects no such name. `WEIR_SERVICE_PORT` is a port of the Service `weir` and the URL of `weir-service`.
    package static func forms(of name: String) -> [ServiceLink] {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        guard words.first == "WEIR" else { return [] }
        let rest = words.dropFirst()
        return allCases.filter { $0.mayBeNamed(rest) }
    }

    private func mayBeNamed(_ words: ArraySlice<Substring>) -> Bool {
        switch self {
        case .address: words.suffix(2) == ["SERVICE", "HOST"] || Self.isPart("ADDR", words)
        case .port: Self.isServicePort(words) || Self.isPart("PORT", words)
        case .url: words.last == "PORT" || Self.isNumberedPort(words)
        case .transport: Self.isPart("PROTO", words)
        }
    }

    private static func isServicePort(_ words: ArraySlice<Substring>) -> Bool {
        zip(words, words.dropFirst()).contains { $0 == ("SERVICE", "PORT") }
    }

    private static func isPart(_ part: Substring, _ words: ArraySlice<Substring>) -> Bool {
        words.last == part && isNumberedPort(words.dropLast())
    }

    /// `…PORT_<n>_<protocol>`
    private static func isNumberedPort(_ words: ArraySlice<Substring>) -> Bool {
        let tail = words.suffix(3)
        guard tail.count == 3, tail.first == "PORT", let transport = tail.last else { return false }
        return transports.contains(transport.lowercased()) && transport == transport.uppercased()
            && isPort(tail[tail.startIndex + 1])
    }

    private static let transports = ["tcp", "udp", "sctp"]

    private static func isPort(_ text: some StringProtocol) -> Bool {
        Int(decimal: text).map { (1...65535).contains($0) } ?? false
    }

    private func fits(_ value: String) -> Bool {
        switch self {
        case .address: return SocketAddress(host: value, port: 0) != nil
        case .port: return Self.isPort(value)
        case .transport: return Self.transports.contains(value)
        case .url:
            guard let colon = value.firstIndex(of: ":"), Self.transports.contains(String(value[..<colon])),
                let portColon = value.lastIndex(of: ":"), Self.isPort(value[value.index(after: portColon)...])
            else { return false }
            let authority = value[colon..<portColon]
            guard authority.hasPrefix("://") else { return false }
            var host = authority.dropFirst(3)
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            return SocketAddress(host: String(host), port: 0) != nil
        }
    }
}
