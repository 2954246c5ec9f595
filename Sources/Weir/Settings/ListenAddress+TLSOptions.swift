// SPDX-License-Identifier: Apache-2.0
// What an address with TLS has of its own, and the form in which it is written behind it.

extension ListenAddress {
    /// Certificates and modes of one address with TLS; what is not given is that of ``Settings/tls``.
    public struct TLSOptions: Sendable, Equatable {
        /// In place of ``Settings/TLS/certificates``, with ``keys`` and ``staples``; empty for those. `cert=`, once for each.
        public var certificates: [String] = []

        /// As many as ``certificates``. `key=`.
        public var keys: [String] = []

        /// As many as ``certificates``, `-` for one that has none, or none at all. `ocsp=`.
        public var staples: [String] = []

        /// The lowest version. `min=`.
        public var lowest: Settings.TLS.Version?

        /// Whether clients are asked for certificates; on the admin port they are not where this is nil. `client=`.
        public var clients: Settings.TLS.Clients?

        /// The file with the CAs of clients. `client-ca=`.
        public var clientAuthorities: String?

        /// Creates options that say nothing: all is as in ``Settings/tls``.
        public init() {}

        /// Reads `cert=/tls/a.crt`, `key=/tls/a.key` and so on; nil where one is none of them, or is there twice.
        init?(_ items: some Sequence<Substring>) {
            for item in items {
                guard let equals = item.firstIndex(of: "=") else { return nil }
                let value = String(item[item.index(after: equals)...])
                guard !value.isEmpty, !value.utf8.contains(0), value.utf8.count <= 4095 else { return nil }
                switch item[..<equals] {
                case "cert": certificates.append(value)
                case "key": keys.append(value)
                case "ocsp": staples.append(value)
                case "min":
                    guard lowest == nil, let version = Settings.TLS.Version(rawValue: value) else { return nil }
                    lowest = version
                case "client":
                    guard clients == nil, let mode = Settings.TLS.Clients(rawValue: value) else { return nil }
                    clients = mode
                case "client-ca":
                    guard clientAuthorities == nil else { return nil }
                    clientAuthorities = value
                default: return nil
                }
            }
            guard certificates.count <= Settings.TLS.pairsMax else { return nil }
        }

        /// As they are written behind the port.
        var text: String {
            let files = certificates.map { ";cert=\($0)" } + keys.map { ";key=\($0)" } + staples.map { ";ocsp=\($0)" }
            let modes = [("min", lowest?.rawValue), ("client", clients?.rawValue), ("client-ca", clientAuthorities)]
            return files.joined() + modes.compactMap { name, value in value.map { ";\(name)=\($0)" } }.joined()
        }

        /// What of the files does not fit together; nil where all does.
        var fault: String? {
            if keys.count != certificates.count { return "expected as many key= as cert=" }
            if !staples.isEmpty, staples.count != certificates.count {
                return "expected as many ocsp= as cert=, - for none"
            }
            return nil
        }
    }
}
