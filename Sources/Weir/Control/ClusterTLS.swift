// SPDX-License-Identifier: Apache-2.0
// TLS with the cluster's API server, kept up with the file of those who sign its certificate. Confined to one loop.

import WeirEventLoop
import WeirTLS
package import WeirUpstream

/// Whom connections to the API server are to find: the certificate must be signed by the service account's CA (`ca.crt`),
/// or, where there is no such file, by one of the system's.
package final class ClusterTLS {
    private let api: KubernetesAPI
    private let sessions = TLSSessionCache()
    private var client: TLSClient?
    /// Of the file that was read last; nil where there was none.
    private var version: FileVersion?

    package init(_ api: KubernetesAPI) {
        self.api = api
    }

    /// The file is read when it is another than before, so a CA that rotates is trusted from the next request on. Where the
    /// new one is at fault, those of before are.
    package func target() throws(KubernetesProblem) -> TLSTarget {
        let present = FileVersion(path: api.authoritiesFile)
        if client == nil || present != version {
            var settings = TLSClientSettings()
            if present != nil { settings.authorities = api.authoritiesFile }
            do throws(TLSError) {
                client = TLSClient(settings, try TLSClientContext(reading: settings))
                version = present
            } catch {
                if client == nil { throw .notSecured(server: api.description, reason: error.description) }
            }
        }
        guard let client else { throw .notSecured(server: api.description, reason: "nothing says whom to trust") }
        return TLSTarget(client, to: api.host, resuming: sessions)
    }
}
