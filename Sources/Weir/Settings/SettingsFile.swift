// SPDX-License-Identifier: Apache-2.0
// The settings of the configuration file as a provider for swift-configuration, each with its place. A plain value.

import Configuration
import WeirDocument

/// What the file says of the settings of the table.
///
/// The keys on the way to a value, joined by hyphens, are the words of its setting: `drain: {timeout: 25s}` and
/// `drain-timeout: 25s` are `WEIR_DRAIN_TIMEOUT`. A setting whose words begin those of others (`workers` and
/// `workers-queue`) is a text where it is meant, and a mapping where they are.
struct SettingsFile: Sendable {
    struct Value: Sendable {
        let text: String
        let place: FilePlace
    }

    /// By variable.
    private(set) var values: [String: Value] = [:]

    private let document: ConfigurationDocument

    /// - Throws: `SettingsError.inFile` for what is no setting, and for one that is there twice.
    init(_ document: ConfigurationDocument) throws(SettingsError) {
        self.document = document
        guard case .mapping(let entries) = document.root.content else {
            throw document.fault(.root, "expected a mapping, such as upstreams: and routes:")
        }
        for entry in entries where !SettingsWords.sections.contains(entry.key) { try add(entry, .root, words: "") }
    }

    private mutating func add(_ entry: DocumentEntry, _ parent: FieldPath, words: String) throws(SettingsError) {
        let path = parent.key(entry.key)
        let words = words.isEmpty ? entry.key : "\(words)-\(entry.key)"
        let setting = SettingsWords.settings[words]
        let isPrefix = SettingsWords.prefixes[words] != nil
        guard setting != nil || isPrefix else { throw unknown(words, path, entry.keyPosition) }
        if case .mapping(let entries) = entry.value.content, isPrefix {
            for entry in entries { try add(entry, path, words: words) }
            return
        }
        if entry.value.isNull { return }
        guard let setting else {
            let names = SettingsWords.prefixes[words, default: []].joined(separator: ", ")
            throw document.fault(path, at: entry.keyPosition, "not a setting by itself; \(names) are")
        }
        guard let text = setting.text(of: entry.value) else {
            throw document.fault(path, "expected \(setting.expected)")
        }
        // As with an empty variable.
        if text.trimmingBlanks.isEmpty { return }
        if let other = values[setting.name] {
            throw document.fault(
                path,
                at: entry.keyPosition,
                "\(words) is set already, by \(other.place.path) on line \(other.place.position.line)"
            )
        }
        let place = FilePlace(file: document.file, path: path, position: entry.value.position)
        values[setting.name] = Value(text: text, place: place)
    }

    private func unknown(_ words: String, _ path: FieldPath, _ position: TextPosition) -> SettingsError {
        let nearest = NearestName.find(words, in: SettingsWords.known, prefix: "")
        let hint = nearest.map { "did you mean \($0)?" } ?? "expected a name of docs/configuration.md"
        return document.fault(path, at: position, "not a setting; \(hint)")
    }
}

extension Setting {
    /// The words of its path in the file: `drain-timeout`.
    var words: String { name.dropFirst("WEIR_".count).lowercased().replacing("_", with: "-") }

    /// The text that a node of the file says, nil where it can be none. Settings that are lists may be lists there.
    fileprivate func text(of node: DocumentNode) -> String? {
        switch node.content {
        case .scalar(let text, _): return text
        case .mapping: return nil
        case .sequence(let items):
            guard isList else { return nil }
            var texts: [String] = []
            for item in items {
                guard case .scalar(let text, _) = item.content else { return nil }
                texts.append(text)
            }
            return texts.joined(separator: ",")
        }
    }
}

/// The names under which settings stand in the file.
enum SettingsWords {
    /// What stands beside the settings at the top of the file.
    static let sections = GatewayConfiguration.sections

    /// By words. The file cannot say where it is itself.
    static let settings: [String: Setting] = Dictionary(
        uniqueKeysWithValues: Settings.table.filter { $0.name != "WEIR_CONFIG" }.map { ($0.words, $0) }
    )

    /// What settings begin with, and those settings.
    static let prefixes: [String: [String]] = {
        var prefixes: [String: [String]] = [:]
        for words in settings.keys.sorted() {
            for (index, character) in zip(words.indices, words) where character == "-" {
                prefixes[String(words[..<index]), default: []].append(words)
            }
        }
        return prefixes
    }()

    static let known = (sections + settings.keys + prefixes.keys).sorted()
}

extension SettingsFile: ConfigProvider, ConfigSnapshot {
    var providerName: String { "SettingsFile[\(document.file)]" }

    func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult {
        let name = key.components.joined(separator: "_").uppercased()
        let value = values[name].map { ConfigValue(.string($0.text), isSecret: true) }
        return LookupResult(encodedKey: name, value: value)
    }

    func fetchValue(forKey key: AbsoluteConfigKey, type: ConfigType) async throws -> LookupResult {
        try value(forKey: key, type: type)
    }

    func watchValue<Return: ~Copyable>(
        forKey key: AbsoluteConfigKey,
        type: ConfigType,
        updatesHandler: (ConfigUpdatesAsyncSequence<Result<LookupResult, any Error>, Never>) async throws -> Return
    ) async throws -> Return {
        try await watchValueFromValue(forKey: key, type: type, updatesHandler: updatesHandler)
    }

    func snapshot() -> any ConfigSnapshot { self }

    func watchSnapshot<Return: ~Copyable>(
        updatesHandler: (ConfigUpdatesAsyncSequence<any ConfigSnapshot, Never>) async throws -> Return
    ) async throws -> Return {
        try await watchSnapshotFromSnapshot(updatesHandler: updatesHandler)
    }
}
