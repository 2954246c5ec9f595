// SPDX-License-Identifier: Apache-2.0
// The schemes that an absolute-form target may have.

/// The scheme of an absolute-form target (RFC 9110 section 4.2).
package enum URIScheme: UInt8, Sendable {
    case http, https
}
