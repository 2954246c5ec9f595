// SPDX-License-Identifier: Apache-2.0
// Writes the JSON of log lines (RFC 8259). Pure.

import Logging

/// JSON text as it is put together.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    /// Appends JSON as it stands.
    mutating func append(_ json: String) {
        bytes.append(contentsOf: json.utf8)
    }

    /// Appends a string in quotes. Swift's strings are well-formed, so only ASCII needs care.
    mutating func append(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case ..<0x20, 0x7F: append("\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))")
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a metadata value: text, a list, or an object with sorted keys.
    mutating func append(value: Logger.Metadata.Value) {
        switch value {
        case .string(let text):
            append(string: text)
        case .stringConvertible(let convertible):
            append(string: convertible.description)
        case .array(let values):
            append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { append(",") }
                append(value: value)
            }
            append("]")
        case .dictionary(let values):
            append("{")
            for (index, field) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { append(",") }
                append(string: field.key)
                append(":")
                append(value: field.value)
            }
            append("}")
        }
    }
}
