// SPDX-License-Identifier: Apache-2.0
// Where the value of a setting comes from: what `weir check` and `/config` say beside it.

/// Where a value comes from.
package enum SettingSource: String, Sendable {
    /// The variable of this name.
    case environment
    /// Nobody set it.
    case `default`
    /// The program that made the settings changed it.
    case code
}

/// What was read from an environment, by variable, as its value is shown. Says nothing about values: all are equal.
struct ReadVariables: Sendable, Equatable {
    var texts: [String: String] = [:]

    static func == (_: ReadVariables, _: ReadVariables) -> Bool { true }
}

extension Settings {
    /// Where the value of `setting` comes from.
    package func source(of setting: Setting) -> SettingSource {
        let text = setting.text(self)
        if readVariables.texts[setting.name] == text { return .environment }
        return text == setting.defaultText ? .default : .code
    }
}
