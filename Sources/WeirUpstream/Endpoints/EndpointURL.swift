// SPDX-License-Identifier: Apache-2.0
// Where an endpoint is, and the form in which it is written in WEIR_UPSTREAM and in the configuration file.

package import WeirEventLoop

/// An endpoint of an upstream: `http://10.0.0.1:8080;weight=3`, `https://orders.shop.svc:8443`, `http://[fd00::7]`,
/// `unix:/run/orders.sock`.
///
/// A value has one form: names are in lower case, addresses as the kernel writes them, IPv4-mapped IPv6 is IPv4, and
/// the default port and weight are not written. So `description` reads as the same value, and equal places are equal.
package struct EndpointURL: Sendable, Equatable, CustomStringConvertible {
    /// How requests are sent.
    package enum Scheme: String, Sendable, CaseIterable {
        case http
        case https

        package var portDefault: UInt16 { self == .http ? 80 : 443 }
    }

    /// Where the endpoint listens.
    package enum Place: Sendable, Hashable {
        /// A name to be resolved: letters, digits, `-` and `_` in labels, in lower case; a final dot is kept.
        case name(String, port: UInt16)
        /// A numeric address with its port, or a Unix socket.
        case address(SocketAddress)
    }

    package let scheme: Scheme
    package let place: Place
    /// Its share of requests beside the weights of the others, from 1 to 65535.
    package let weight: Int

    package static let weightDefault = 1
    package static let weightMax = 65_535
    /// The longest host name in bytes, without a final dot (RFC 1035 section 3.1), and its longest label.
    package static let nameBytesMax = 253
    package static let labelBytesMax = 63
    /// The longest Unix socket path in bytes: `sun_path` holds 108 with the final zero.
    package static let unixPathBytesMax = 107
    /// The most endpoints of one upstream.
    package static let endpointsMax = 256

    package init(scheme: Scheme = .http, place: Place, weight: Int = weightDefault) {
        precondition((1...Self.weightMax).contains(weight), "a weight is from 1 to 65535")
        self.scheme = scheme
        self.place = place
        self.weight = weight
    }

    /// The port; nil for a Unix socket.
    package var port: UInt16? {
        switch place {
        case .name(_, let port): port
        case .address(let address): address.port
        }
    }

    /// The host alone: a name, or an address without brackets; nil for a Unix socket.
    package var host: String? {
        switch place {
        case .name(let name, _): name
        case .address(.unix): nil
        case .address(let address): address.host
        }
    }

    /// What the Host field of a request to this endpoint says (RFC 9110 section 7.2): host and port, the port left out
    /// where it is the scheme's. A Unix socket has no name; `localhost` stands for it.
    package var authority: String {
        let host =
            switch place {
            case .name(let name, _): name
            case .address(.ipv6(let upper, let lower, let port)):
                "[\(SocketAddress.ipv6(upper, lower, port: port).host)]"
            case .address(.unix): "localhost"
            case .address(let address): address.host
            }
        guard let port, port != scheme.portDefault else { return host }
        return "\(host):\(port)"
    }

    /// Host and port, the port always.
    package var authorityWithPort: String {
        port == scheme.portDefault ? "\(authority):\(scheme.portDefault)" : authority
    }

    /// The same endpoint without its weight.
    package var withoutWeight: EndpointURL { EndpointURL(scheme: scheme, place: place) }

    /// The text that reads as this endpoint.
    package var description: String {
        let url =
            if case .address(.unix(let path)) = place { "unix:\(path)" } else { "\(scheme.rawValue)://\(authority)" }
        return weight == Self.weightDefault ? url : "\(url);weight=\(weight)"
    }
}
