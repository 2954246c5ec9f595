// SPDX-License-Identifier: Apache-2.0
// What a field that we send may consist of: the check that stands between a handler's data and response splitting.

/// The syntax of field names and values (RFC 9110 sections 5.1 and 5.5).
package enum FieldSyntax {
    /// Whether `bytes` is a field name: one or more tchars.
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        while index < bytes.count {
            if !ByteClass.contains(ByteClass.token, bytes[index]) { return false }
            index &+= 1
        }
        return index > 0
    }

    /// Whether `bytes` can stand behind the colon: no CR, LF, NUL or other control but tab. Spaces around it are
    /// allowed and lost; bytes from 0x80 are allowed.
    package static func isFieldValue(_ bytes: Span<UInt8>) -> Bool {
        ByteScan.firstControl(in: bytes, from: 0, to: bytes.count) == bytes.count
    }
}
