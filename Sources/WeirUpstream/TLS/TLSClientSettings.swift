// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with servers, as it was set. A value.

package import WeirTLS

/// Whom to trust and what to show, by the names of files.
package struct TLSClientSettings: Sendable, Hashable {
    /// A PEM file with the certificates one of which must have signed a server's; empty for the system's.
    package var authorities = ""
    /// What the server's certificate must be for, and what the server is asked by; empty for the host of the endpoint.
    package var serverName = ""
    /// PEM files with what is shown to servers that ask for it; empty for nothing.
    package var certificate = ""
    package var key = ""
    /// Whether the server's certificate is looked at.
    package var verifies = true
    package var lowest = TLSVersion.tls12

    package init() {}
}
