// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with an upstream's endpoints, in the configuration file. A plain value.

import WeirDocument
import WeirEventLoop
import WeirUpstream

/// Whom the endpoints must be, and what they are shown.
package struct UpstreamTLSConfiguration: Sendable, Equatable {
    package var settings: Settings.UpstreamTLS
}

extension UpstreamTLSConfiguration: ConfigurationObject {
    static let name = "tls"
    static let summary =
        "Whom the `https://` endpoints of an upstream must be, and what they are shown. Endpoints that are discovered by "
        + "names or Consul are spoken to by TLS where this is there, `tls: {}` for what holds without a word."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "ca",
            \.settings.authorities,
            .value(.path),
            "A PEM file with certificates, one of which must have signed an endpoint's; the system's where it is not given",
            inherits: "WEIR_UPSTREAM_TLS_CA"
        ),
        ConfigurationField(
            "server-name",
            \.settings.serverName,
            .value(.serverName),
            "What the certificate must be for and the endpoint is asked by; the endpoint's host where it is not given",
            inherits: "WEIR_UPSTREAM_TLS_SERVER_NAME"
        ),
        ConfigurationField(
            "certificate",
            \.settings.certificate,
            .value(.path),
            "A PEM file with what is shown to an endpoint that asks for a certificate, with its chain",
            inherits: "WEIR_UPSTREAM_TLS_CERT"
        ),
        ConfigurationField(
            "key",
            \.settings.key,
            .value(.path),
            "A PEM file with its private key",
            inherits: "WEIR_UPSTREAM_TLS_KEY"
        ),
        ConfigurationField(
            "verify",
            \.settings.verifies,
            .value(.flag),
            "Whether the endpoints' certificates are looked at",
            inherits: "WEIR_UPSTREAM_TLS_VERIFY"
        ),
        ConfigurationField(
            "min-version",
            \.settings.lowest,
            .value(.choice),
            "The lowest version of TLS that is spoken",
            inherits: "WEIR_UPSTREAM_TLS_MIN"
        ),
    ]

    package init(_ settings: Settings) {
        self.settings = settings.upstream.tls
    }

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        // The CA of all upstreams may be there for the others.
        if node.gives("ca"), !settings.verifies {
            let reason = "certificates are not verified: expected verify: true, or no ca"
            throw context.document.fault(path.key("ca"), reason)
        }
        if settings.certificate.isEmpty != settings.key.isEmpty {
            let missing = settings.key.isEmpty ? "key" : "certificate"
            throw context.document.fault(path, "\(missing) is missing: expected certificate and key, or neither")
        }
    }
}

extension ValueForm where Value == String {
    /// A host name or a numeric address without a port, or nothing.
    static var serverName: Self {
        Self(
            unit: "host",
            range: "at most \(EndpointURL.nameBytesMax) bytes",
            expected: "a host name such as orders.shop.svc, or a numeric address",
            parse: { text in
                if text.isEmpty { return text }
                guard !text.contains("/"), !text.contains(";"), !text.contains("@") else { return nil }
                let host = text.split(separator: ":", omittingEmptySubsequences: false).count > 2 ? "[\(text)]" : text
                // With a port of its own it would have two.
                guard let url = try? EndpointURL(parsing: "http://\(host):1") else { return nil }
                switch url.place {
                case .name(let name, _): return name
                case .address(let address): return address.host
                }
            },
            format: { $0 },
            schema: .word()
        )
    }
}
