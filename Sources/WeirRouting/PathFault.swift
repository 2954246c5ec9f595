// SPDX-License-Identifier: Apache-2.0
// Why a request's path cannot be read safely. All of them are answered with 400.

/// Why a request's path is refused before any route is tried. Each is answered with 400 (Bad Request).
package enum PathFault: UInt8, Equatable, Sendable {
    /// The path does not start with `/`. The empty path is a case of it, and the `*` of `OPTIONS *`, which
    /// the caller answers itself.
    case notAbsolute
    /// A `%` is not followed by two hexadecimal digits.
    case invalidEscape
    /// A control byte (0x00–0x1F, 0x7F), raw or written as an escape.
    case controlByte
    /// `%2F`: one reader sees a separator, the next one a byte of a name.
    case encodedSlash
    /// A backslash, raw or as `%5C`: some readers take it for a separator.
    case backslash
    /// A `..` leads above the root.
    case aboveRoot
}
