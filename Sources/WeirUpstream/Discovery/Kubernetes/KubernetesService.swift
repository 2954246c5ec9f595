// SPDX-License-Identifier: Apache-2.0
// Which service of a cluster, and which of its ports. A value.

/// A service of a Kubernetes cluster, as it stands behind `k8s://`: `shop/orders:http`.
package struct KubernetesService: Sendable, Hashable, CustomStringConvertible {
    /// A port of its pods.
    package enum Port: Sendable, Hashable {
        /// The only one that they have.
        case only
        /// As the pods have it: the Service's `targetPort`, because slices know of no other.
        case number(UInt16)
        /// As the Service names it.
        case name(String)
    }

    /// The longest name of a namespace, a service or a port in bytes: a DNS label (RFC 1123 section 2.1).
    package static let nameBytesMax = 63

    package let namespace: String
    package let name: String
    package let port: Port

    /// Reads `k8s://` with a service behind it; nil where it is none.
    package init?(url: String) {
        guard url.hasPrefix("k8s://") else { return nil }
        self.init(parsing: url.dropFirst("k8s://".count))
    }

    /// Reads `NAMESPACE/SERVICE`, `NAMESPACE/SERVICE:NUMBER` or `NAMESPACE/SERVICE:NAME`; nil where it is none of them.
    package init?(parsing text: some StringProtocol) {
        let names = text.split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2 else { return nil }
        let parts = names[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard Self.isLabel(names[0]), let service = parts.first, Self.isLabel(service) else { return nil }
        namespace = String(names[0])
        name = String(service)
        guard parts.count == 2 else {
            port = .only
            return
        }
        if parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard parts[1].first != "0", let number = UInt16(parts[1]) else { return nil }
            port = .number(number)
        } else {
            guard Self.isLabel(parts[1]) else { return nil }
            port = .name(String(parts[1]))
        }
    }

    /// The text that reads as this service.
    package var description: String {
        switch port {
        case .only: "\(namespace)/\(name)"
        case .number(let number): "\(namespace)/\(name):\(number)"
        case .name(let port): "\(namespace)/\(name):\(port)"
        }
    }

    /// What DNS calls it in the cluster: the Host field where a client named no host.
    var authority: String { "\(name).\(namespace).svc" }

    private static func isLabel(_ text: some StringProtocol) -> Bool {
        (1...nameBytesMax).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasSuffix("-")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: byte == UInt8(ascii: "-")
                }
            }
    }
}
