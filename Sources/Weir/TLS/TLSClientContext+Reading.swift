// SPDX-License-Identifier: Apache-2.0
// Reads the files that TLS with servers is set up by. Blocks; not on a loop that serves.

import Glibc
package import WeirTLS
package import WeirUpstream

extension TLSClientContext {
    package convenience init(reading settings: TLSClientSettings) throws(TLSError) {
        let verification: TLSVerification =
            settings.verifies ? .against(try PEMFile(reading: try settings.authoritiesFile())) : .none
        var identity: CertificatePair?
        if !settings.certificate.isEmpty {
            identity = try CertificatePair(
                certificate: PEMFile(reading: settings.certificate),
                key: PEMFile(reading: settings.key),
                now: Int64(time(nil))
            )
        }
        try self.init(verification, identity: identity, lowest: settings.lowest)
    }
}

extension TLSClientSettings {
    /// Where systems have the certificates of public CAs, all in one file: Debian and Alpine, Fedora, SUSE.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    ]

    private static var systemFile: String? { systemAuthorities.first { access($0, R_OK) == 0 } }

    fileprivate func authoritiesFile() throws(TLSError) -> String {
        if !authorities.isEmpty { return authorities }
        guard let file = Self.systemFile else { throw .noAuthorities(places: Self.systemAuthorities) }
        return file
    }

    /// All files that are read again when one changes.
    var files: [String] {
        let trusted = verifies ? authorities.isEmpty ? Self.systemFile : authorities : nil
        return [trusted].compactMap(\.self) + (certificate.isEmpty ? [] : [certificate, key])
    }
}
