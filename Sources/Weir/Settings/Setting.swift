// SPDX-License-Identifier: Apache-2.0
// One row of the settings table: everything that parsing, errors, the documentation and `/config` need to know.

/// One setting: its variable, its form, and how it is read into and shown from ``Settings``.
package struct Setting: Sendable {
    /// The environment variable: `WEIR_DEADLINE`.
    package let name: String

    /// What the value is: `duration`.
    package let unit: String

    /// The bounds: `1ms to 1h`.
    package let range: String

    /// What it does, in one sentence.
    package let summary: String

    /// Where its effect is seen in `/metrics`: the metric in backquotes, or a dash.
    package let seenIn: String

    /// Whether a reload brings a new value into force; otherwise it waits for a restart.
    package let isReloaded: Bool

    /// Whether the value is a list with commas, which may be a list in the file.
    let isList: Bool

    private let scalar: ScalarSchema

    /// What an editor is told of the value in the file. Written when it is asked for, which a start does not.
    var schema: SchemaValue { scalar.setting(isList: isList) }

    /// What an error says is expected.
    package let expected: String

    /// Why exactly a text cannot be read, where the form can tell.
    package let reason: @Sendable (String) -> String?

    /// Whether the value must not be shown.
    package let isSecret: Bool

    /// What people may see of a value's text.
    private let shown: @Sendable (String) -> String

    /// The value as it would be written in the environment.
    package let text: @Sendable (Settings) -> String

    /// Reads the text into the settings; false, with the settings as they were, where it is not of the form.
    let apply: @Sendable (String, inout Settings) -> Bool

    init<Value>(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Value> & Sendable,
        _ form: ValueForm<Value>,
        _ summary: String,
        seenIn: String = "–",
        isReloaded: Bool = false,
        isSecret: Bool = false
    ) {
        self.name = name
        self.unit = form.unit
        self.range = form.range
        self.summary = summary
        self.seenIn = seenIn
        self.isReloaded = isReloaded
        self.isList = form.isList
        self.scalar = form.schema
        self.isSecret = isSecret
        self.shown = form.shown
        self.expected = form.expected
        self.reason = form.reason
        self.text = { settings in form.format(settings[keyPath: path]) }
        self.apply = { text, settings in
            guard let value = form.parse(text) else { return false }
            settings[keyPath: path] = value
            return true
        }
    }

    /// The value that holds where the variable is not set.
    package var defaultText: String { text(Settings()) }

    /// What stands where a secret is not shown.
    static let mask = "***"

    /// The value as people may see it: as in the environment, a secret that is set, or stands in a URL, as `***`.
    package func shownText(_ settings: Settings) -> String {
        let text = text(settings)
        return isSecret && !text.isEmpty ? Self.mask : shown(text)
    }

    /// The row of the table in docs/configuration.md.
    package var documentationRow: String {
        let defaultText = defaultText.isEmpty ? "–" : "`\(defaultText)`"
        return "| `\(name)` | \(defaultText) | \(unit) | \(range) | \(summary) | \(seenIn) |"
    }
}
