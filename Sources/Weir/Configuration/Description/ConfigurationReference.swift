// SPDX-License-Identifier: Apache-2.0
// The part of docs/configuration.md that lists the fields of the configuration file. Pure.

/// The reference of the file: a section for each mapping, a row for each field.
package enum ConfigurationReference {
    /// All mappings, each once, in the order in which a reader meets them.
    static let objects: [ObjectDescription] = {
        var objects: [ObjectDescription] = []
        func add(_ object: ObjectDescription) {
            if objects.contains(where: { $0.name == object.name }) { return }
            objects.append(object)
            for field in object.fields { field.objects.forEach(add) }
        }
        add(ObjectDescription(GatewayConfiguration.self))
        return objects
    }()

    /// Sections in Markdown.
    package static var text: String { objects.map(section).joined(separator: "\n") }

    private static func section(_ object: ObjectDescription) -> String {
        var text = "### \(object.name)\n\n\(object.summary)"
        if !object.alternatives.isEmpty {
            let names = object.alternatives.map { "`\($0)`" }.joined(separator: ", ")
            text += " Exactly one of \(names)."
        }
        text += "\n\n| field | default | unit | range | what it does |\n|---|---|---|---|---|\n"
        for field in object.fields { text += row(field) }
        return text
    }

    private static func row(_ field: FieldDescription) -> String {
        let defaultText =
            if field.isRequired {
                "must be given"
            } else if let inherits = field.inherits {
                "that of `\(inherits)`"
            } else if field.defaultText.isEmpty {
                "–"
            } else {
                field.defaultText.contains("`") ? field.defaultText : "`\(field.defaultText)`"
            }
        return "| `\(field.name)` | \(defaultText) | \(field.unit) | \(field.range) | \(field.summary) |\n"
    }
}
