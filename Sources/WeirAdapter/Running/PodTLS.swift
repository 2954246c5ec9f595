// SPDX-License-Identifier: Apache-2.0
// TLS with admin ports of pods, kept up with the file of those who sign their certificates. Confined to the adapter's
// loop.

import Weir
import WeirEventLoop
import WeirTLS
import WeirUpstream

/// Whom connections to admin ports that speak TLS are to find.
final class PodTLS {
    private let settings: TLSClientSettings
    /// Nil until the first is to be found: without a file of its own, where no pod speaks TLS, no CA is needed.
    private var client: TLSClient?
    /// Of the file that was read last; nil where the system's CAs are believed.
    private var version: FileVersion?

    /// - Throws: `AppError` where there is such a file, and it cannot be used.
    init(_ settings: AdapterSettings) throws(AppError) {
        var own = TLSClientSettings()
        own.authorities = settings.adminAuthorities
        own.serverName = settings.adminServerName
        self.settings = own
        guard !own.authorities.isEmpty else { return }
        do throws(TLSError) {
            _ = try target(to: "")
        } catch {
            throw .settings(
                .refused(name: "WEIR_ADAPTER_ADMIN_CA", value: own.authorities, reason: error.description)
            )
        }
    }

    /// The file is read when it is another than before; where the new one is at fault or gone, those of before are
    /// believed.
    func target(to host: String) throws(TLSError) -> TLSTarget {
        let present = settings.authorities.isEmpty ? nil : FileVersion(path: settings.authorities) ?? version
        guard let client else {
            let made = TLSClient(settings, try TLSClientContext(reading: settings))
            client = made
            version = present
            return TLSTarget(made, to: host)
        }
        if present != version, let context = try? TLSClientContext(reading: settings) {
            client.replace(by: context)
            version = present
        }
        return TLSTarget(client, to: host)
    }
}
