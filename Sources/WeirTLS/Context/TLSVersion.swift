// SPDX-License-Identifier: Apache-2.0
// The versions of TLS that there are to choose from; older ones are broken (RFC 8996).

import COpenSSL

/// The lowest version of TLS that is spoken.
package enum TLSVersion: Sendable, Equatable {
    /// TLS 1.2 (RFC 5246).
    case tls12
    /// TLS 1.3 (RFC 8446).
    case tls13

    var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}
