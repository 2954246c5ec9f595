// SPDX-License-Identifier: Apache-2.0
// What the adapter's listener reads: its certificate, its key, and who signs the front proxy's. In memory.

package import Weir
import WeirEventLoop
import WeirTLS

/// The files of the TLS listener.
package struct AdapterFiles: Sendable {
    let certificate: MemoryFile
    let key: MemoryFile
    let clientAuthorities: MemoryFile

    /// Until the cluster has said something: a certificate of a CA that nobody believes, for connections that nobody is
    /// admitted by, since the CA's key is gone already.
    package init() throws(AppError) {
        do throws(TLSError) {
            let authority = try MadeCertificate(.init(name: "weir metrics-adapter (starting)"))
            let made = try MadeCertificate(
                .init(name: "weir metrics-adapter (starting)", alternativeNames: "DNS:localhost"),
                issuer: authority
            )
            certificate = try Self.file(made.certificate)
            key = try Self.file(made.key)
            clientAuthorities = try Self.file(authority.certificate)
        } catch {
            throw .system("the adapter's certificate cannot be made: \(error)")
        }
    }

    private static func file(_ bytes: [UInt8]) throws(TLSError) -> MemoryFile {
        do throws(SystemCallError) {
            return try MemoryFile(bytes)
        } catch {
            throw .library(call: "memfd_create", reason: "\(error)")
        }
    }

    /// How the adapter's addresses speak TLS.
    func options(_ settings: AdapterSettings) -> ListenAddress.TLSOptions {
        var options = ListenAddress.TLSOptions()
        options.certificates = [settings.makesCertificate ? certificate.path : settings.certificate]
        options.keys = [settings.makesCertificate ? key.path : settings.key]
        options.clients = .optional
        options.clientAuthorities = clientAuthorities.path
        return options
    }
}
