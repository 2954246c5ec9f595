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

    /// How deep lists and objects may lie in one another. No registration needs more than four levels, and what a value
    /// is gets found out by trying, which costs more with every level.
    package static let depthMax = 16

    /// Lists and objects lie too deep in one another.
    struct TooDeep: Error {}

    /// - Throws: `DecodingError` for what is no JSON, and `TooDeep` before that is known.
    package init(parsing bytes: [UInt8]) throws {
        guard Self.depth(of: bytes) <= Self.depthMax else { throw TooDeep() }
        self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    }

    /// How many brackets are open at most; of what is no JSON, some number.
    private static func depth(of bytes: [UInt8]) -> Int {
        var (depth, most) = (0, 0)
        var (isText, isEscaped) = (false, false)
        for byte in bytes {
            if isEscaped {
                isEscaped = false
            } else if isText {
                isEscaped = byte == UInt8(ascii: "\\")
                isText = byte != UInt8(ascii: "\"")
            } else {
                switch byte {
                case UInt8(ascii: "\""): isText = true
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    depth += 1
                    most = max(most, depth)
                case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
                default: break
                }
            }
        }
        return most
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
