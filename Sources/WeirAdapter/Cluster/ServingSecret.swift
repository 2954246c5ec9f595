// SPDX-License-Identifier: Apache-2.0
// The Secret by which replicas share the certificate that they serve with, and who signs it. Values; pure.

import FoundationEssentials
package import WeirTLS

/// A certificate, its key, and the CAs that the aggregation layer is told: that of this certificate and of the one before.
package struct ServingPair: Sendable, Equatable {
    package let authorities: [UInt8]
    package let certificate: [UInt8]
    package let key: [UInt8]
    /// Unix time.
    package let expiry: Int64

    /// For how long a certificate is made, and how long before its end another is.
    package static let days = 90
    package static let renewalDays = 30

    /// What is in a Secret; nil where it is no such pair, or for another host, or has ended.
    package init?(authorities: [UInt8], certificate: [UInt8], key: [UInt8], host: String, now: Int64) {
        do throws(TLSError) {
            let pair = try CertificatePair(
                certificate: PEMFile(name: "tls.crt", bytes: certificate),
                key: PEMFile(name: "tls.key", bytes: key),
                now: now
            )
            guard pair.certificate.hostNames.contains(host) else { return nil }
            _ = try ClientAuthorities(PEMFile(name: "ca.crt", bytes: authorities), isRequired: true)
            expiry = pair.certificate.expiry
        } catch {
            return nil
        }
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
    }

    /// A new one: a CA that signs this certificate and no other, so that its key is kept by nobody.
    ///
    /// - Parameter former: whose CA is believed for as long as other replicas may still show it.
    package init(making host: String, former: ServingPair? = nil, days: Int = days, now: Int64) throws(TLSError) {
        let seconds = days * 86_400
        let authority = try MadeCertificate(.init(name: "weir metrics-adapter", ends: seconds))
        var plan = MadeCertificate.Plan(
            name: "weir metrics-adapter",
            alternativeNames: "DNS:\(host),DNS:\(host).cluster.local",
            ends: seconds
        )
        plan.usages = "serverAuth"
        let made = try MadeCertificate(plan, issuer: authority)
        authorities = authority.certificate + (former.map { Self.firstBlock(of: $0.authorities) } ?? [])
        certificate = made.certificate
        key = made.key
        expiry = now + Int64(seconds)
    }

    package func needsRenewal(now: Int64) -> Bool { expiry - now < Int64(Self.renewalDays * 86_400) }

    /// The newest CA of a bundle: those of before it are believed no longer.
    private static func firstBlock(of bundle: [UInt8]) -> [UInt8] {
        let end = Array("-----END CERTIFICATE-----\n".utf8)
        guard bundle.count >= end.count else { return bundle }
        for start in 0...(bundle.count - end.count) where bundle[start..<(start + end.count)].elementsEqual(end) {
            return Array(bundle[..<(start + end.count)])
        }
        return bundle
    }
}

/// The Secret's JSON.
package struct ServingSecret: Sendable, Equatable {
    package let resourceVersion: String
    /// Nil where what is in it cannot be served with.
    package let pair: ServingPair?

    /// Nil where the bytes are no Secret.
    package init?(parsing bytes: [UInt8], host: String, now: Int64) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)),
            let version = document.metadata.resourceVersion
        else { return nil }
        resourceVersion = version
        func value(_ key: String) -> [UInt8]? {
            document.data?[key].flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) }
        }
        pair =
            if let authorities = value("ca.crt"), let certificate = value("tls.crt"), let key = value("tls.key") {
                ServingPair(authorities: authorities, certificate: certificate, key: key, host: host, now: now)
            } else {
                nil
            }
    }

    private struct Document: Decodable {
        struct Metadata: Decodable {
            let resourceVersion: String?
        }

        let metadata: Metadata
        let data: [String: String]?
    }

    /// The Secret that is to be created.
    package static func creation(_ name: String, in namespace: String, _ pair: ServingPair) -> [UInt8] {
        encode(
            Written(
                apiVersion: "v1",
                kind: "Secret",
                type: "kubernetes.io/tls",
                metadata: .init(name: name, namespace: namespace),
                data: data(pair)
            )
        )
    }

    /// The change of one that is there, which holds for that version of it alone: whoever comes second is told 409.
    package func change(to pair: ServingPair) -> [UInt8] {
        Self.encode(Written(metadata: .init(resourceVersion: resourceVersion), data: Self.data(pair)))
    }

    private struct Written: Encodable {
        struct Metadata: Encodable {
            var name: String?
            var namespace: String?
            var resourceVersion: String?
        }

        var apiVersion: String?
        var kind: String?
        var type: String?
        var metadata: Metadata
        var data: [String: String]
    }

    private static func data(_ pair: ServingPair) -> [String: String] {
        ["ca.crt": pair.authorities, "tls.crt": pair.certificate, "tls.key": pair.key].mapValues {
            Data($0).base64EncodedString()
        }
    }

    private static func encode(_ value: Written) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Of texts alone: it does not fail.
        return (try? encoder.encode(value)).map { [UInt8]($0) } ?? []
    }
}

/// An APIService, as far as its `caBundle` goes.
package struct APIServiceBundle: Sendable, Equatable {
    /// The Service that it leads to, `NAMESPACE/NAME`; nil for none.
    package let service: String?
    private let bundle: String

    /// Nil where the bytes are no APIService.
    package init?(parsing bytes: [UInt8]) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else { return nil }
        service = document.spec.service.map { "\($0.namespace ?? "")/\($0.name ?? "")" }
        bundle = document.spec.caBundle ?? ""
    }

    /// What has it believe these CAs; nil where it does.
    package func change(to authorities: [UInt8]) -> [UInt8]? {
        let wanted = Data(authorities).base64EncodedString()
        guard bundle != wanted else { return nil }
        return Array("{\"spec\":{\"caBundle\":\"\(wanted)\"}}".utf8)
    }

    private struct Document: Decodable {
        struct Spec: Decodable {
            let service: Service?
            let caBundle: String?
        }

        struct Service: Decodable {
            let namespace: String?
            let name: String?
        }

        let spec: Spec
    }
}
