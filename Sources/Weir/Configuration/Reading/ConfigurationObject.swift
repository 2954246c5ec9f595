// SPDX-License-Identifier: Apache-2.0
// A mapping of the configuration file whose keys are fields: read, documented and drawn as a schema from one list.

import WeirDocument

/// A value that is a mapping in the file. Its list of fields is the one source of what is read, of the faults, of
/// docs/configuration.md, and of the JSON schema.
protocol ConfigurationObject: Sendable {
    /// What documentation, faults and schema call it: `route`.
    static var name: String { get }

    /// What it says, in one sentence.
    static var summary: String { get }

    static var fields: [ConfigurationField<Self>] { get }

    /// Fields of which exactly one is there; none for no such rule.
    static var alternatives: [String] { get }

    /// What holds where the file says nothing.
    init(_ settings: Settings)

    /// Refuses fields that do not fit together.
    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError)
}

extension ConfigurationObject {
    static var alternatives: [String] { [] }

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {}
}

/// One field of a mapping.
struct ConfigurationField<Object: ConfigurationObject>: Sendable {
    let name: String
    let description: FieldDescription

    /// Reads the node into the object.
    let read: @Sendable (DocumentNode, FieldPath, ReadingContext, inout Object) throws(SettingsError) -> Void

    /// - Parameter inherits: the setting that holds where the field is not given.
    init<Value: Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<Object, Value> & Sendable,
        _ form: NodeForm<Value>,
        _ summary: String,
        isRequired: Bool = false,
        inherits: String? = nil
    ) {
        self.name = name
        description = FieldDescription(
            name: name,
            defaultText: form.format(Object(Settings())[keyPath: path]),
            unit: form.unit,
            range: form.range,
            summary: summary,
            isRequired: isRequired,
            inherits: inherits,
            schema: form.schema,
            objects: form.objects
        )
        read = { node, fieldPath, context, object throws(SettingsError) in
            object[keyPath: path] = try form.read(node, fieldPath, context)
        }
    }
}

/// What documentation and schema say of a field.
package struct FieldDescription: Sendable {
    let name: String
    let defaultText: String
    let unit: String
    let range: String
    let summary: String
    let isRequired: Bool
    let inherits: String?
    let schema: SchemaValue
    let objects: [ObjectDescription]
}

/// What documentation and schema say of a mapping.
package struct ObjectDescription: Sendable {
    let name: String
    let summary: String
    let alternatives: [String]
    let fields: [FieldDescription]

    init<Object: ConfigurationObject>(_: Object.Type) {
        name = Object.name
        summary = Object.summary
        alternatives = Object.alternatives
        fields = Object.fields.map(\.description)
    }
}

extension DocumentNode {
    /// Whether the mapping has this key, with something behind it.
    func gives(_ key: String) -> Bool { self[key].map { !$0.isNull } ?? false }
}

extension NodeForm where Value: ConfigurationObject {
    /// A mapping with the object's fields.
    static var object: Self {
        NodeForm(
            unit: "[\(Value.name)](#\(Value.name))",
            range: "–",
            schema: .members(("$ref", .string("#/$defs/\(Value.name)"))),
            takesNull: Value.alternatives.isEmpty && !Value.fields.contains(where: \.description.isRequired),
            objects: [ObjectDescription(Value.self)],
            // Its fields have defaults of their own.
            format: { _ in "{}" },
            read: { node, path, context throws(SettingsError) in
                var object = Value(context.settings)
                // What is empty, as a template may leave it, says nothing.
                let entries = try entries(of: node, path, context)
                for entry in entries where !entry.value.isNull {
                    guard let field = Value.fields.first(where: { $0.name == entry.key }) else { continue }
                    try field.read(entry.value, path.key(entry.key), context, &object)
                }
                try object.check(node, path, context)
                return object
            }
        )
    }

    /// The entries, after it is known that each is a field and that none is missing.
    private static func entries(
        of node: DocumentNode,
        _ path: FieldPath,
        _ context: ReadingContext
    ) throws(SettingsError) -> [DocumentEntry] {
        let entries: [DocumentEntry]
        switch node.content {
        case .mapping(let own): entries = own
        case _ where node.isNull: entries = []
        default:
            let names = Value.fields.map(\.name).joined(separator: ", ")
            throw context.document.fault(path, "expected a mapping with any of \(names)")
        }
        for entry in entries where !Value.fields.contains(where: { $0.name == entry.key }) {
            let names = Value.fields.map(\.name)
            let hint = NearestName.find(entry.key, in: names, prefix: "").map { "did you mean \($0)?" }
            throw context.document.fault(
                path.key(entry.key),
                at: entry.keyPosition,
                "not a field of \(Value.name); \(hint ?? "expected one of \(names.joined(separator: ", "))")"
            )
        }
        for field in Value.fields where field.description.isRequired && !node.gives(field.name) {
            throw context.document.fault(path, "\(field.name) is missing")
        }
        let given = Value.alternatives.filter { node.gives($0) }
        if !Value.alternatives.isEmpty, given.count != 1 {
            let found = given.isEmpty ? "none" : given.joined(separator: " and ")
            let names = Value.alternatives.joined(separator: ", ")
            throw context.document.fault(path, "expected exactly one of \(names); found \(found)")
        }
        return entries
    }
}
