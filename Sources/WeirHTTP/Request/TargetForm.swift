// SPDX-License-Identifier: Apache-2.0
// The four shapes of a request target (RFC 9112 section 3.2).

/// How a request names its target.
package enum TargetForm: UInt8, Sendable {
    /// `/path?query`: the usual one.
    case origin
    /// `http://authority/path?query`: sent to proxies, understood by every server.
    case absolute
    /// `host:port`: only with CONNECT.
    case authority
    /// `*`: only with OPTIONS, the server as a whole.
    case asterisk
}
