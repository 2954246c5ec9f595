// SPDX-License-Identifier: Apache-2.0
// Where the admin port of a Weir in the same pod is asked, from where it listens. Pure.

import Weir
import WeirEventLoop

/// An address of an admin port, as a client in the pod connects to it.
struct AdminPlace: CustomStringConvertible {
    let address: SocketAddress
    let isTLS: Bool

    var description: String { isTLS ? "tls://\(address)" : "\(address)" }

    /// Each address by which the port is reached, in the order in which they are tried: those without TLS first, which
    /// need no agreement.
    ///
    /// - Throws: `AdminFailure.unknown` where none can be asked.
    static func all(of listen: [ListenAddress]) throws(AdminFailure) -> [AdminPlace] {
        let places = listen.flatMap(places(of:))
        guard !places.isEmpty else { throw .unknown }
        return places.filter { !$0.isTLS } + places.filter(\.isTLS)
    }

    /// None for a port of the kernel's choice, which nobody can know.
    private static func places(of listen: ListenAddress) -> [AdminPlace] {
        switch listen {
        case .unix(let path, _): [AdminPlace(address: .unix(path: path), isTLS: false)]
        case .tcp(let host, let port): reached(host, port).map { AdminPlace(address: $0, isTLS: false) }
        case .tls(let host, let port, _): reached(host, port).map { AdminPlace(address: $0, isTLS: true) }
        }
    }

    /// What listens on all addresses is asked over loopback, which needs no token.
    private static func reached(_ host: String?, _ port: UInt16) -> [SocketAddress] {
        guard port != 0 else { return [] }
        let hosts =
            switch host {
            case nil, "::": ["127.0.0.1", "::1"]
            case "localhost", "0.0.0.0": ["127.0.0.1"]
            case let host?: [host]
            }
        return hosts.compactMap { SocketAddress(host: $0, port: port) }
    }
}
