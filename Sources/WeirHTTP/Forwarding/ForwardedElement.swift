// SPDX-License-Identifier: Apache-2.0
// What one proxy says in a Forwarded field.

/// One element: `for=192.0.2.43;by=203.0.113.60;proto=http;host=example.com` (RFC 7239 section 4).
///
/// A value with a quoted-pair is not taken over: no address, scheme or host needs one.
package struct ForwardedElement: Equatable, Sendable {
    /// Who asked the proxy; nil where it says nothing.
    package internal(set) var source: ForwardedNode?
    /// The proxy's own interface; nil where it says nothing.
    package internal(set) var by: ForwardedNode?
    /// The scheme of the request that the proxy got, without quotes; empty if it has a quoted-pair.
    package internal(set) var proto: ByteRange?
    /// The Host field of the request that the proxy got, without quotes; empty if it has a quoted-pair.
    package internal(set) var host: ByteRange?

    init() {}
}
