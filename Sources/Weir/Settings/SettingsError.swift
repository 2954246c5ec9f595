// SPDX-License-Identifier: Apache-2.0
// What can be wrong with settings and the configuration file. Its description is the one line that a failed start prints.

import WeirUpstream

/// A setting that cannot be used: which variable, its value, and what is expected.
public enum SettingsError: Error, Equatable, CustomStringConvertible {
    /// A `WEIR_*` variable that is no setting, with the nearest setting's name where one is near.
    case unknown(name: String, value: String, nearest: String?)

    /// A value that is not of the setting's form or outside its range.
    case invalid(name: String, value: String, expected: String)

    /// As `invalid`, where it can be said what in the value is wrong, and what would be right.
    case refused(name: String, value: String, reason: String)

    /// Two values that are fine alone and not together. `expected` completes "expected …".
    case conflict(name: String, value: String, otherName: String, otherValue: String, expected: String)

    /// Something in the configuration file. `field` is the way to it, `routes[2].deadline`, or empty.
    case inFile(file: String, line: Int, column: Int, field: String, reason: String)

    /// The fault in one line without control characters.
    public var description: String {
        switch self {
        case .unknown(let name, let value, let nearest?):
            "\(Self.oneLine(name))=\"\(Self.oneLine(value))\": not a setting; did you mean \(nearest)?"
        case .unknown(let name, let value, nil):
            "\(Self.oneLine(name))=\"\(Self.oneLine(value))\": not a setting; expected a name of docs/configuration.md"
        case .invalid(let name, let value, let expected):
            "\(name)=\"\(Self.oneLine(value))\": expected \(expected)"
        case .refused(let name, let value, let reason):
            "\(name)=\"\(Self.oneLine(value))\": \(reason.escapedForLine(quotes: false))"
        case .conflict(let name, let value, let otherName, let otherValue, let expected):
            "\(name)=\"\(Self.oneLine(value))\" with \(otherName)=\"\(Self.oneLine(otherValue))\": expected \(expected)"
        case .inFile(let file, let line, let column, let field, let reason):
            "\(file):\(line):\(column): \(field.isEmpty ? "" : "\(field): ")\(reason)".escapedForLine(quotes: false)
        }
    }

    /// The text with control characters and quotes escaped, and cut where it is very long, so that a value can
    /// neither break the line nor flood the log.
    static func oneLine(_ text: String) -> String {
        let charactersMax = 200
        let line = String(String.UnicodeScalarView(text.unicodeScalars.prefix(charactersMax))).escapedForLine(
            quotes: true
        )
        return text.unicodeScalars.count > charactersMax ? line + "…" : line
    }

    /// A text of the file as a reason shows it: in quotes, on one line, without what stands in front of an @.
    static func quoted(_ text: String) -> String { "\"\(oneLine(text.withoutUserInfo))\"" }
}
