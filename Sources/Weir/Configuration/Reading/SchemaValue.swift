// SPDX-License-Identifier: Apache-2.0
// A JSON value with its keys in order: what the JSON schema of the configuration file is made of. Pure.

/// A part of a JSON schema (draft 2020-12).
package indirect enum SchemaValue: Sendable, Equatable {
    case string(String)
    case integer(Int)
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
    /// Any text.
    static let text = members(("type", .string("string")))

    /// A text of this form, an ECMA-262 regular expression.
    static func text(_ pattern: String) -> SchemaValue {
        members(("type", .string("string")), ("pattern", .string(pattern)))
    }

    /// Texts in a list, or in one text with commas.
    static let texts = members(
        ("type", strings(["string", "array"])),
        ("items", text)
    )

    /// A whole number, or a text of this form.
    static func integer(_ range: ClosedRange<Int>, or pattern: String? = nil) -> SchemaValue {
        var members: [Member] = [Member(key: "type", value: .string("integer"))]
        if let pattern {
            members = [
                Member(key: "type", value: strings(["integer", "string"])),
                Member(key: "pattern", value: .string(pattern)),
            ]
        }
        members.append(Member(key: "minimum", value: .integer(range.lowerBound)))
        members.append(Member(key: "maximum", value: .integer(range.upperBound)))
        return .object(members)
    }

    /// A duration, or, where it may be none, the number 0 or a word.
    static func duration(orZero: Bool, or word: String? = nil) -> SchemaValue {
        let alternatives = (orZero ? ["0"] : []) + (word.map { [$0] } ?? []) + ["[0-9]+(ms|s|m|h)"]
        let pattern = "^(\(alternatives.joined(separator: "|")))$"
        return orZero ? integer(0...0, or: pattern) : text(pattern)
    }

    static let flag = members(
        ("enum", .array([.boolean(true), .boolean(false)] + ["on", "off", "yes", "no"].map { .string($0) }))
    )

    /// One of these names; YAML reads one that is a number as such.
    static func choice(_ names: [String]) -> SchemaValue {
        members(("enum", .array(names.map { .string($0) } + names.compactMap { Int($0) }.map { .integer($0) })))
    }

    /// One of these.
    static func any(_ schemas: [SchemaValue]) -> SchemaValue { members(("anyOf", .array(schemas))) }
}
