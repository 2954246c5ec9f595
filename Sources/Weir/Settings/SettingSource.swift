// SPDX-License-Identifier: Apache-2.0
// Where the value of a setting comes from: what `weir check` and `/config` say beside it.

import WeirDocument

/// Where a value comes from.
package enum SettingSource: Sendable, Equatable {
    /// The variable of this name.
    case environment
    /// The configuration file.
    case file(String, line: Int)
    /// Nobody set it.
    case `default`
    /// The program that made the settings changed it.
    case code

    /// As people read it: `file weir.yaml:12`.
    package var text: String {
        switch self {
        case .environment: "environment"
        case .file(let file, let line): "file \(SettingsError.oneLine(file)):\(line)"
        case .default: "default"
        case .code: "code"
        }
    }
}

/// What was read, by variable. Says nothing about values: all are equal.
struct ReadValues: Sendable, Equatable {
    /// A value as it is shown, and its place in the file where it is not the environment's.
    struct Value: Sendable {
        let text: String
        let place: FilePlace?
    }

    var values: [String: Value] = [:]

    static func == (_: ReadValues, _: ReadValues) -> Bool { true }
}

extension Settings {
    /// Where the value of `setting` comes from.
    package func source(of setting: Setting) -> SettingSource {
        let text = setting.text(self)
        if let read = readValues.values[setting.name], read.text == text {
            return read.place.map { .file($0.file, line: $0.position.line) } ?? .environment
        }
        return text == setting.defaultText ? .default : .code
    }
}
