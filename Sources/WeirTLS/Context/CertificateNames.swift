// SPDX-License-Identifier: Apache-2.0
// Which certificate names a host: made when certificates are loaded, asked in each handshake. Immutable.

/// The names of several certificates, each with the index of the first that has it.
struct CertificateNames: Sendable {
    private var exact: [String: Int] = [:]
    /// Of `*.shop.example`, by what stands behind the star: it is for one label (RFC 9525 section 6.3).
    private var wildcards: [String: Int] = [:]

    init(_ certificates: [Certificate]) {
        for (index, certificate) in certificates.enumerated() {
            for name in certificate.hostNames {
                let name = Self.canonical(name)
                if name.hasPrefix("*.") {
                    let parent = String(name.dropFirst())
                    // Nobody owns all names below a top-level domain.
                    guard parent.dropFirst().contains(".") else { continue }
                    wildcards[parent] = wildcards[parent] ?? index
                } else {
                    exact[name] = exact[name] ?? index
                }
            }
        }
    }

    /// The index of the first certificate that names `host`; nil for none.
    ///
    /// - Complexity: O(1) in the number of certificates and names.
    func index(of host: String) -> Int? {
        let host = Self.canonical(host)
        let named = exact[host]
        guard let dot = host.firstIndex(of: "."), dot != host.startIndex, let covered = wildcards[String(host[dot...])]
        else { return named }
        return min(named ?? covered, covered)
    }

    /// Names of hosts are the same in either case, and with a dot behind them.
    private static func canonical(_ name: String) -> String {
        let name = name.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
