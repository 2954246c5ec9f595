// SPDX-License-Identifier: Apache-2.0
// The JSON of a log line's metadata. Pure.

import Logging

extension JSONWriter {
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
