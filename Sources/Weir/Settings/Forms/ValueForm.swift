// SPDX-License-Identifier: Apache-2.0
// How a value of one kind is written in the environment: read, shown, and described. Pure.

/// A way to write values: numbers, flags, choices; durations, sizes and addresses are in files of their own.
package struct ValueForm<Value>: Sendable {
    /// What the table calls it: `duration`.
    package let unit: String

    /// The bounds as the table shows them: `1ms to 1h`.
    package let range: String

    /// Completes "expected …" in an error.
    package let expected: String

    /// The value that the text says, or nil if it is not of this form or outside the range.
    package let parse: @Sendable (String) -> Value?

    /// The text that `parse` reads as this value.
    package let format: @Sendable (Value) -> String

    /// Why exactly `parse` reads nothing from a text, where the form can tell.
    var reason: @Sendable (String) -> String? = { _ in nil }

    /// What people may see of a text that was read.
    var shown: @Sendable (String) -> String = { $0 }

    /// Whether it is a list with commas, which may be a list in the configuration file.
    var isList = false

    /// What the JSON schema of the configuration file says of it.
    var schema = ScalarSchema.text
}

extension ValueForm {
    /// A form of settings that no file has.
    package init(
        unit: String,
        range: String,
        expected: String,
        parse: @escaping @Sendable (String) -> Value?,
        format: @escaping @Sendable (Value) -> String
    ) {
        self.init(unit: unit, range: range, expected: expected, parse: parse, format: format, schema: .text)
    }
}

extension ValueForm where Value == Int {
    /// A whole number. `unit` names what it counts where the setting's own name does not.
    package static func number(_ range: ClosedRange<Int>, unit: String = "number") -> Self {
        Self(
            unit: unit,
            range: "\(range.lowerBound) to \(range.upperBound)",
            expected: "a whole number, from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(decimal: text).flatMap { range.contains($0) ? $0 : nil } },
            format: { "\($0)" },
            schema: .integer(range)
        )
    }
}

extension ValueForm where Value == Settings.Count {
    /// `auto`, or a whole number.
    static func count(_ range: ClosedRange<Int>) -> Self {
        let number = ValueForm<Int>.number(range)
        return Self(
            unit: "`auto` or number",
            range: number.range,
            expected: "auto or \(number.expected)",
            parse: { text in text.lowercased() == "auto" ? .automatic : number.parse(text).map { .exactly($0) } },
            format: { count in
                switch count {
                case .automatic: "auto"
                case .exactly(let number): "\(number)"
                }
            },
            schema: .integer(range, or: ScalarSchema.anyCase("auto"))
        )
    }
}

extension ValueForm where Value == Bool {
    /// `true` or `false`, and their usual synonyms, in any case.
    package static var flag: Self {
        Self(
            unit: "boolean",
            range: "true, false",
            expected: "true or false (or on/off, yes/no, 1/0)",
            parse: { text in
                switch text.lowercased() {
                case "true", "on", "yes", "1": true
                case "false", "off", "no", "0": false
                default: nil
                }
            },
            format: { $0 ? "true" : "false" },
            schema: .flag
        )
    }
}

extension ValueForm where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
    /// One of the enum's names, in any case.
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(
            unit: "name",
            range: names,
            expected: "one of \(names)",
            parse: { Value(rawValue: $0.lowercased()) },
            format: \.rawValue,
            schema: .choice(Value.allCases.map(\.rawValue))
        )
    }
}

extension ValueForm where Value == [ListenAddress] {
    /// Addresses separated by commas. With `offAllowed`, `off` means none.
    static func addresses(offAllowed: Bool) -> Self {
        let countMax = 16
        let forms = ":8080, 127.0.0.1:8080, tls://:8443 or unix:/run/weir.sock;mode=0660"
        return Self(
            unit: offAllowed ? "addresses or `off`" : "addresses",
            range: "1 to \(countMax) addresses",
            expected: "1 to \(countMax) addresses such as \(forms)\(offAllowed ? ", or off" : "")",
            parse: { text in
                if offAllowed, text.lowercased() == "off" { return [] }
                let items = text.split(separator: ",", omittingEmptySubsequences: false)
                let addresses = items.compactMap { ListenAddress($0.trimmingBlanks) }
                return addresses.count == items.count && items.count <= countMax ? addresses : nil
            },
            format: { $0.isEmpty ? "off" : $0.map(\.description).joined(separator: ",") },
            isList: true
        )
    }
}
