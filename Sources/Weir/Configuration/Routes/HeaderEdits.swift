// SPDX-License-Identifier: Apache-2.0
// Header fields that a route writes and takes away.

import WeirDocument

/// What a route changes of the fields that pass it.
package struct HeaderEdits: Sendable, Equatable {
    /// Of the request, as the upstream gets it.
    package var request = Edits()
    /// Of the response, as the client gets it.
    package var response = Edits()

    package struct Field: Sendable, Equatable {
        /// In lower case.
        package let name: String
        package let value: String
    }

    /// In this order: fields are removed, set, and added.
    package struct Edits: Sendable, Equatable {
        /// Instead of all fields of the name.
        package var replaced: [Field] = []
        /// Beside those of the name.
        package var added: [Field] = []
        /// In lower case.
        package var removed: [String] = []

        package var isEmpty: Bool { replaced.isEmpty && added.isEmpty && removed.isEmpty }
    }
}

extension HeaderEdits: ConfigurationObject {
    static let name = "headers"
    static let summary = "Header fields that a route writes and takes away."

    static let fields = [
        ConfigurationField<Self>("request", \.request, .object, "Of the request, as the upstream gets it"),
        ConfigurationField<Self>("response", \.response, .object, "Of the response, as the client gets it"),
    ]

    package init(_ settings: Settings) {}
}

extension HeaderEdits.Edits: ConfigurationObject {
    static let name = "header-edits"
    static let summary =
        "Removed first, then set, then added, also of what the gateway itself writes. "
        + "Host, and what frames a message or is meant for one connection, stays the gateway's."

    /// The most fields of each kind.
    static let countMax = 64

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField("set", \.replaced, .fields(countMax), "Fields that stand instead of all of their name"),
        ConfigurationField("add", \.added, .fields(countMax), "Fields that come beside those of their name"),
        ConfigurationField(
            "remove",
            \.removed,
            .list(of: .value(.editedField), 1...countMax, orOne: true),
            "Names of fields that are taken away"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        for (index, field) in replaced.enumerated() where replaced[..<index].contains(where: { $0.name == field.name })
        {
            throw context.document.fault(path.key("set"), "\(field.name) is there twice; names have no case")
        }
    }
}

extension ValueForm where Value == String {
    /// A field's value as it is written. Blanks at its ends are no part of it, whoever reads it (RFC 9110 section 5.5).
    fileprivate static var writtenValue: Self {
        let form = fieldValue
        return Self(
            unit: form.unit,
            range: form.range,
            expected: form.expected,
            parse: { text in
                let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
                if let first = text.utf8.first, let last = text.utf8.last, isBlank(first) || isBlank(last) {
                    return nil
                }
                return form.parse(text)
            },
            format: form.format,
            reason: { text in form.parse(text).map { _ in "expected a value without blanks at its ends" } },
            schema: form.schema
        )
    }
}

extension NodeForm where Value == [HeaderEdits.Field] {
    fileprivate static func fields(_ countMax: Int) -> Self {
        .mapping(of: NodeForm<String>.value(.writtenValue), named: .editedField, countMax) { name, value in
            HeaderEdits.Field(name: name, value: value)
        }
    }
}
