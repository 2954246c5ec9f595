// SPDX-License-Identifier: Apache-2.0
// What the JSON schema says of a value that is written as one text. Pure.

/// Which texts a value may be, and what an editor may take such a text for.
///
/// The reader takes a scalar by its text, with quotes or without. An editor takes one without quotes for a number or a
/// boolean where it looks like one. So the schema knows both: `64` and `"64"`, `1.3` and `"1.3"`.
package struct ScalarSchema: Sendable {
    private enum Kind: String, Sendable {
        case integer, number, string, boolean
    }

    /// What the text may be taken for.
    private var kinds: [Kind] = [.string]

    /// The forms of the text, each an ECMA-262 regular expression for the whole of it; empty for any text.
    private var patterns: [String] = []

    /// The bounds where it is taken for a number; texts are not compared with them.
    private var bounds: ClosedRange<Int>?

    /// All that it may be, in the form that an editor offers, where these are a few.
    private var offered: [SchemaValue] = []

    /// Whether there is no other way to write what is `offered`.
    private var isAllOffered = false
}

extension ScalarSchema {
    /// Any text that looks like no number.
    static let text = ScalarSchema()

    /// A text of this form, which is not that of a number.
    static func text(_ pattern: String) -> ScalarSchema { ScalarSchema(patterns: [pattern]) }

    /// A text, which may look like a number or a boolean: `2.1` is a version, and `true` a name.
    static func word(_ pattern: String? = nil) -> ScalarSchema {
        ScalarSchema(kinds: [.string, .number, .boolean], patterns: pattern.map { [$0] } ?? [])
    }

    /// A whole number, or a text of another form.
    static func integer(_ range: ClosedRange<Int>, or pattern: String? = nil) -> ScalarSchema {
        ScalarSchema(kinds: [.integer, .string], patterns: ["[0-9]+"] + (pattern.map { [$0] } ?? []), bounds: range)
    }

    /// A number whose text has this form.
    static func number(_ pattern: String) -> ScalarSchema {
        ScalarSchema(kinds: [.number, .string], patterns: [pattern])
    }

    /// A duration, or, where it may be none, 0 or a word, in any case.
    static func duration(orZero: Bool, or word: String? = nil) -> ScalarSchema {
        let duration = (word.map { anyCase($0) + "|" } ?? "") + "[0-9]+(ms|s|m|h)"
        return orZero
            ? ScalarSchema(kinds: [.integer, .string], patterns: ["0", duration], bounds: 0...0) : text(duration)
    }

    static let flag: ScalarSchema = {
        var flag = choice(["on", "off", "yes", "no", "true", "false", "1", "0"])
        flag.offered = [.boolean(true), .boolean(false)] + flag.offered
        return flag
    }()

    /// One of these names.
    ///
    /// - Parameter pattern: how each may be written; in any case, unless said otherwise.
    static func choice(_ names: [String], as pattern: (String) -> String = anyCase) -> ScalarSchema {
        let numbers = names.filter { $0.allSatisfy { $0.isWholeNumber || $0 == "." } }
        let patterns = names.map(pattern)
        return ScalarSchema(
            patterns: patterns,
            offered: names.map { .string($0) } + numbers.map { .number($0) },
            isAllOffered: patterns == names
        )
    }

    /// A pattern for this word in any case. JSON schemas have no other way to say so.
    static func anyCase(_ word: String) -> String {
        word.map { character in
            if character == "." { return "[.]" }
            guard character.isLetter else { return String(character) }
            return "[\(character.uppercased())\(character.lowercased())]"
        }.joined()
    }
}

extension ScalarSchema {
    /// As a field of the file, or an item of a list there.
    var field: SchemaValue {
        if isAllOffered { return .members(("enum", .array(offered))) }
        return schema(of: kinds, pattern: patterns.isEmpty ? nil : "^(\(patterns.joined(separator: "|")))$")
    }

    /// As a setting, which may be empty, or have blanks around it, and, where it is a list with commas, be a list.
    func setting(isList: Bool) -> SchemaValue {
        let pattern = patterns.isEmpty ? nil : "^\\s*(\(patterns.joined(separator: "|")))?\\s*$"
        let one = schema(of: kinds, pattern: pattern).orNull
        guard isList else { return one }
        let list = SchemaValue.members(("type", .string("array")), ("items", schema(of: kinds, pattern: nil)))
        return .any([one, list])
    }

    private func schema(of kinds: [Kind], pattern: String?) -> SchemaValue {
        let types = kinds.map(\.rawValue)
        var members: [(String, SchemaValue)] = [("type", types.count == 1 ? .string(types[0]) : .strings(types))]
        if let pattern { members.append(("pattern", .string(pattern))) }
        if let bounds {
            members.append(("minimum", .integer(bounds.lowerBound)))
            members.append(("maximum", .integer(bounds.upperBound)))
        }
        let form = SchemaValue.object([]).adding(members)
        return offered.isEmpty ? form : .any([.members(("enum", .array(offered))), form])
    }
}
