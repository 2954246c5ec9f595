// SPDX-License-Identifier: Apache-2.0
// The JSON schema of the configuration file, for editors: docs/weir.schema.json. Pure.

/// The schema (draft 2020-12). It knows names, types and forms; what parts say of each other only a reader checks.
package enum ConfigurationSchema {
    package static var text: String {
        let objects = ConfigurationReference.objects
        let sections = objects[0].fields.map { ($0.name, described($0)) }
        let root: [(String, SchemaValue)] = [
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("title", .string("Weir's configuration file")),
            ("type", .string("object")),
            ("additionalProperties", .boolean(false)),
            ("properties", SchemaValue.object([]).adding(sections + settings(below: ""))),
            (
                "$defs",
                SchemaValue.object([]).adding(
                    objects.dropFirst().map { ($0.name, schema(of: $0)) }
                        + SettingsWords.settings.values.sorted { $0.words < $1.words }.map {
                            (reference($0), described($0))
                        }
                )
            ),
        ]
        return SchemaValue.object([]).adding(root).text
    }

    private static func schema(of object: ObjectDescription) -> SchemaValue {
        var members: [(String, SchemaValue)] = [
            ("description", .string(object.summary)),
            ("type", .string("object")),
            ("additionalProperties", .boolean(false)),
            ("properties", SchemaValue.object([]).adding(object.fields.map { ($0.name, described($0)) })),
        ]
        let required = object.fields.filter(\.isRequired).map(\.name)
        if !required.isEmpty { members.append(("required", .strings(required))) }
        if !object.alternatives.isEmpty {
            members.append(("oneOf", .array(object.alternatives.map(given))))
        }
        return SchemaValue.object([]).adding(members)
    }

    /// The field is there, and not null.
    private static func given(_ name: String) -> SchemaValue {
        let something = SchemaValue.members(("not", .members(("type", .string("null")))))
        return .members(("required", .strings([name])), ("properties", .members((name, something))))
    }

    private static func described(_ field: FieldDescription) -> SchemaValue {
        let schema = field.isRequired ? field.schema : field.schema.orNull
        return schema.adding([("description", .string(field.summary))])
    }

    private static func described(_ setting: Setting) -> SchemaValue {
        let isSet = !setting.defaultText.isEmpty
        let summary = "\(setting.name). \(setting.summary). Default: \(isSet ? setting.defaultText : "none")."
        return setting.schema.adding([("description", .string(summary))])
    }

    private static func reference(_ setting: Setting) -> String { "setting-\(setting.words)" }

    /// The keys that may follow these words, in every way in which the rest can be parted.
    private static func settings(below words: String) -> [(String, SchemaValue)] {
        let start = words.isEmpty ? "" : words + "-"
        let known = Set(SettingsWords.settings.keys).union(SettingsWords.prefixes.keys)
        return known.filter { $0.hasPrefix(start) && $0 != words }.sorted().map { full in
            var schemas: [SchemaValue] = []
            if let setting = SettingsWords.settings[full] {
                schemas.append(.members(("$ref", .string("#/$defs/\(reference(setting))"))))
            }
            if SettingsWords.prefixes[full] != nil {
                schemas.append(
                    .members(
                        ("type", .strings(["object", "null"])),
                        ("additionalProperties", .boolean(false)),
                        ("properties", SchemaValue.object([]).adding(settings(below: full)))
                    )
                )
            }
            return (String(full.dropFirst(start.count)), schemas.count == 1 ? schemas[0] : .any(schemas))
        }
    }
}
