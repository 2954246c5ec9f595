// SPDX-License-Identifier: Apache-2.0
// A JSON value with its keys in order: what the JSON schema of the configuration file is made of. Pure.

/// A part of a JSON schema (draft 2020-12).
package indirect enum SchemaValue: Sendable, Equatable {
    case string(String)
    case integer(Int)
    /// A number by its text: `1.3`.
    case number(String)
    case boolean(Bool)
    case array([SchemaValue])
    case object([Member])

    package struct Member: Sendable, Equatable {
        let key: String
        let value: SchemaValue
    }

    static func members(_ members: (String, SchemaValue)...) -> SchemaValue {
        .object(members.map { Member(key: $0.0, value: $0.1) })
    }

    static func strings(_ texts: [String]) -> SchemaValue { .array(texts.map { .string($0) }) }

    /// The object with further members; what is none stays as it is.
    func adding(_ members: [(String, SchemaValue)]) -> SchemaValue {
        guard case .object(let own) = self else { return self }
        return .object(own + members.map { Member(key: $0.0, value: $0.1) })
    }

    /// Two blanks for each level, a line for each member.
    package var text: String {
        var json = JSONWriter()
        append(to: &json, indent: "")
        json.append("\n")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private func append(to json: inout JSONWriter, indent: String) {
        switch self {
        case .string(let text): json.append(string: text)
        case .integer(let number): json.append("\(number)")
        case .number(let text): json.append(text)
        case .boolean(let value): json.append("\(value)")
        case .array(let items):
            json.append("[")
            for (index, item) in items.enumerated() {
                if index > 0 { json.append(", ") }
                item.append(to: &json, indent: indent)
            }
            json.append("]")
        case .object(let members):
            let inner = indent + "  "
            json.append("{")
            for (index, member) in members.enumerated() {
                json.append(index == 0 ? "\n\(inner)" : ",\n\(inner)")
                json.append(string: member.key)
                json.append(": ")
                member.value.append(to: &json, indent: inner)
            }
            json.append(members.isEmpty ? "}" : "\n\(indent)}")
        }
    }
}

extension SchemaValue {
    /// One of these.
    static func any(_ schemas: [SchemaValue]) -> SchemaValue { members(("anyOf", .array(schemas))) }

    /// The same, or null: what is empty in the file, as a template may leave it, counts as not given.
    var orNull: SchemaValue {
        let null = SchemaValue.members(("type", .string("null")))
        guard case .object(let members) = self,
            let index = members.firstIndex(where: { $0.key == "anyOf" || $0.key == "type" })
        else { return .any([self, null]) }
        var others = members
        switch (members[index].key, members[index].value) {
        case ("anyOf", .array(let schemas)): others[index] = Member(key: "anyOf", value: .array(schemas + [null]))
        case ("type", .array(let types)): others[index] = Member(key: "type", value: .array(types + [.string("null")]))
        case ("type", let type): others[index] = Member(key: "type", value: .array([type, .string("null")]))
        default: return .any([self, null])
        }
        return .object(others)
    }
}
