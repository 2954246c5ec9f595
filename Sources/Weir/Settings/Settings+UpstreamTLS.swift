// SPDX-License-Identifier: Apache-2.0
// The settings of TLS with upstreams: for endpoints that begin with `https://`.

import WeirTLS
import WeirUpstream

extension Settings {
    /// Whom upstreams must be, and what they are shown. An upstream of the configuration file may say otherwise.
    public struct UpstreamTLS: Sendable, Equatable {
        /// A PEM file with certificates, at most 1000, one of which must have signed an endpoint's. `WEIR_UPSTREAM_TLS_CA`,
        /// default none: the file of public CAs that the system has.
        public var authorities = ""

        /// What the endpoints' certificates must be for, and what endpoints are asked by (SNI): a host name or a numeric
        /// address. `WEIR_UPSTREAM_TLS_SERVER_NAME`, default none: the host of each endpoint.
        public var serverName = ""

        /// A PEM file with the certificate that endpoints are shown where they ask for one, and those between it and a root.
        /// `WEIR_UPSTREAM_TLS_CERT`, default none.
        public var certificate = ""

        /// A PEM file with the private key of ``certificate``, without a passphrase. `WEIR_UPSTREAM_TLS_KEY`.
        public var key = ""

        /// Whether the endpoints' certificates are looked at. `WEIR_UPSTREAM_TLS_VERIFY`, default true. Without, whoever can
        /// reach into the network can be the upstream; it is logged as a warning.
        public var verifies = true

        /// The lowest version of TLS that is spoken. `WEIR_UPSTREAM_TLS_MIN`, default 1.2.
        public var lowest = TLS.Version.tls12

        /// Creates the default settings.
        public init() {}
    }
}

extension TLSClientSettings {
    init(_ settings: Settings.UpstreamTLS) {
        self.init()
        authorities = settings.authorities
        serverName = settings.serverName
        certificate = settings.certificate
        key = settings.key
        verifies = settings.verifies
        lowest = settings.lowest == .tls13 ? .tls13 : .tls12
    }
}
