// SPDX-License-Identifier: Apache-2.0
// Which X-Request-Id of a client is taken over into logs, answers and upstream requests.

/// The rule for a request's id that comes from outside.
package enum RequestIDSyntax {
    /// The longest id that is taken over. UUIDs have 36 bytes; twice that and a prefix is plenty.
    package static let bytesMax = 128

    /// Whether the id is one to `bytesMax` bytes of visible ASCII without `"` and `\\`, so that it can neither end a line
    /// nor a string in a JSON document.
    package static func isAcceptable(_ value: Span<UInt8>) -> Bool {
        guard value.count > 0, value.count <= bytesMax else { return false }
        var index = 0
        while index < value.count {
            let byte = value[index]
            guard byte > UInt8(ascii: " "), byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else {
                return false
            }
            index &+= 1
        }
        return true
    }
}
