// SPDX-License-Identifier: Apache-2.0
// JSON whose form is decided while it is read: Go's clients write names in any case, and durations in two forms.

import FoundationEssentials

/// A JSON text's value. Fields keep the order in which they are written here, which is Consul's.
package enum JSONValue: Sendable, Equatable, Decodable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Field])

    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: JSONValue
    }

    /// - Throws: `DecodingError` for what is no JSON.
    package init(parsing bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            let fields = try container.decode([String: JSONValue].self)
            self = .object(fields.map { Field(name: $0.key, value: $0.value) })
        }
    }

    package static func fields(_ fields: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(fields.map { Field(name: $0.key, value: $0.value) })
    }

    package static func strings(_ strings: [String]) -> JSONValue { .array(strings.map(JSONValue.string)) }

    /// With sorted names, as Go writes maps.
    package static func map(_ map: [String: JSONValue]) -> JSONValue {
        .object(map.sorted { $0.key < $1.key }.map { Field(name: $0.key, value: $0.value) })
    }

    package static func index(_ index: UInt64) -> JSONValue { .integer(Int(clamping: index)) }

    package var bytes: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    private func write(to json: inout JSONWriter) {
        switch self {
        case .null: json.append("null")
        case .bool(let value): json.append(value ? "true" : "false")
        case .integer(let value): json.append("\(value)")
        case .number(let value): json.append("\(value)")
        case .string(let value): json.append(string: value)
        case .array(let values):
            json.append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { json.append(",") }
                value.write(to: &json)
            }
            json.append("]")
        case .object(let fields):
            json.append("{")
            for (index, field) in fields.enumerated() {
                if index > 0 { json.append(",") }
                json.append(string: field.name)
                json.append(":")
                field.value.write(to: &json)
            }
            json.append("}")
        }
    }
}
