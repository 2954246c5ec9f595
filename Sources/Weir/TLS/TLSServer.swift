// SPDX-License-Identifier: Apache-2.0
// What the TLS listeners of a server have in common: the certificates of now. Shared by its loops.

import Glibc
import Synchronization
import WeirTLS

/// The present context, which new connections begin with. A handshake costs so much that it can afford the mutex.
final class TLSServer: Sendable {
    private let present: Mutex<TLSContext>

    init(_ context: TLSContext) {
        present = Mutex(context)
    }

    var context: TLSContext { present.withLock { $0 } }

    /// What connections begin with from now on. Those that there are keep theirs.
    func replace(with context: TLSContext) {
        present.withLock { $0 = context }
    }
}

extension TLSServer {
    /// Reads the certificates that the settings name; nil where they name none.
    ///
    /// - Throws: ``SettingsError``, which says which file is at fault, and how.
    convenience init?(_ settings: Settings) throws(SettingsError) {
        guard !settings.tls.certificates.isEmpty else { return nil }
        do throws(TLSError) {
            self.init(try TLSContext(reading: settings.tls))
        } catch {
            throw .refused(
                name: "WEIR_TLS_CERT",
                value: settings.tls.certificates.joined(separator: ","),
                reason: error.description
            )
        }
    }
}

extension TLSContext {
    /// Reads the pairs of files that the settings name, the first certificate with the first key and so on.
    convenience init(reading settings: Settings.TLS) throws(TLSError) {
        var pairs: [CertificatePair] = []
        for (certificate, key) in zip(settings.certificates, settings.keys) {
            pairs.append(
                try CertificatePair(
                    certificate: PEMFile(reading: certificate),
                    key: PEMFile(reading: key),
                    now: Int64(time(nil))
                )
            )
        }
        try self.init(pairs, lowest: settings.lowest == .tls13 ? .tls13 : .tls12)
    }
}
