// SPDX-License-Identifier: Apache-2.0
// How a node of the configuration file becomes a value, and what documentation and JSON schema say of it. Pure.

import WeirDocument

/// What reading needs beside the node: the file, for faults, and the settings, for defaults.
struct ReadingContext: Sendable {
    let document: ConfigurationDocument
    let settings: Settings
}

/// A way to write values in the file: a text of a `ValueForm`, a list, a mapping.
struct NodeForm<Value: Sendable>: Sendable {
    typealias Read = @Sendable (DocumentNode, FieldPath, ReadingContext) throws(SettingsError) -> Value

    /// What the documentation calls it.
    let unit: String

    /// The bounds as the documentation shows them.
    let range: String

    let schema: SchemaValue

    /// Whether nothing is a value of it: an empty mapping, where none of the fields must be given.
    var takesNull = false

    /// The mappings that are part of it.
    var objects: [ObjectDescription] = []

    /// The value as the documentation shows it where it is the default; empty for nothing.
    let format: @Sendable (Value) -> String

    let read: Read
}

extension NodeForm {
    /// A text.
    static func value(_ form: ValueForm<Value>) -> Self {
        Self(
            unit: form.unit,
            range: form.range,
            schema: form.schema.field,
            format: form.format,
            read: { node, path, context throws(SettingsError) in
                guard case .scalar(let text, _) = node.content else {
                    throw context.document.fault(path, "expected \(form.expected)")
                }
                // A field of ours with nothing behind it counts as not given and does not come here: this is an item of
                // a list, or behind a name of the user's.
                guard !node.isNull else {
                    throw context.document.fault(path, "there is no value; expected \(form.expected)")
                }
                if let value = form.parse(text) { return value }
                let reason = form.reason(text) ?? "expected \(form.expected)"
                throw context.document.fault(path, "\(SettingsError.quoted(text)): \(reason)")
            }
        )
    }

    /// The same, where there may be none.
    static func optional<Some: Sendable>(_ form: NodeForm<Some>) -> Self where Value == Some? {
        Self(
            unit: form.unit,
            range: form.range,
            schema: form.schema,
            objects: form.objects,
            format: { $0.map(form.format) ?? "" },
            read: { node, path, context throws(SettingsError) in try form.read(node, path, context) }
        )
    }

    /// The same, or `off` for none.
    static func orOff<Some: Sendable>(_ form: NodeForm<Some>) -> Self where Value == Some? {
        Self(
            unit: "\(form.unit) or `off`",
            range: form.range,
            schema: .any([
                form.schema, .members(("const", .boolean(false))), ScalarSchema.choice(["off", "false", "no"]).field,
            ]),
            objects: form.objects,
            format: { $0.map(form.format) ?? "off" },
            read: { node, path, context throws(SettingsError) in
                if case .scalar(let text, _) = node.content, ["off", "false", "no"].contains(text.lowercased()) {
                    return nil
                }
                return try form.read(node, path, context)
            }
        )
    }

    /// This form where the node is a mapping, `short` where it is not.
    func or(_ short: NodeForm<Value>) -> NodeForm<Value> {
        let long = self
        let ranges = [short.range, range].filter { $0 != "–" }
        return NodeForm(
            unit: "\(short.unit) or \(unit)",
            range: ranges.isEmpty ? "–" : ranges.joined(separator: "; "),
            schema: .any([short.schema, schema]),
            objects: objects + short.objects,
            format: format,
            read: { node, path, context throws(SettingsError) in
                if case .mapping = node.content { return try long.read(node, path, context) }
                return try short.read(node, path, context)
            }
        )
    }

    /// What the value becomes, or is refused as.
    func map<Result: Sendable>(
        format: @escaping @Sendable (Result) -> String = { _ in "" },
        _ transform: @escaping @Sendable (Value, FieldPath, ReadingContext) throws(SettingsError) -> Result
    ) -> NodeForm<Result> {
        let form = self
        return NodeForm<Result>(
            unit: unit,
            range: range,
            schema: schema,
            objects: objects,
            format: format,
            read: { node, path, context throws(SettingsError) in
                try transform(try form.read(node, path, context), path, context)
            }
        )
    }
}

extension NodeForm {
    /// A list; where `orOne` is set, a single item may stand for it.
    static func list<Item: Sendable>(
        of item: NodeForm<Item>,
        _ counts: ClosedRange<Int>,
        orOne: Bool = false
    ) -> Self where Value == [Item] {
        let list = SchemaValue.members(
            ("type", .string("array")),
            ("items", item.takesNull ? item.schema.orNull : item.schema),
            ("minItems", .integer(counts.lowerBound)),
            ("maxItems", .integer(counts.upperBound))
        )
        let bounds = "\(counts.lowerBound) to \(counts.upperBound)"
        return Self(
            unit: orOne ? "\(item.unit), or a list" : "list of \(item.unit)",
            range: item.range == "–" ? bounds : "\(bounds), each \(item.range)",
            schema: orOne ? .any([item.schema, list]) : list,
            objects: item.objects,
            format: { $0.map(item.format).joined(separator: ", ") },
            read: { node, path, context throws(SettingsError) in
                var items: [Item] = []
                switch node.content {
                case .sequence(let nodes):
                    for (index, node) in nodes.enumerated() {
                        items.append(try item.read(node, path.index(index), context))
                    }
                case _ where orOne: items.append(try item.read(node, path.index(0), context))
                default: throw context.document.fault(path, "expected a list of \(bounds)")
                }
                guard counts.contains(items.count) else {
                    throw context.document.fault(path, "\(items.count) items: expected \(bounds)")
                }
                return items
            }
        )
    }

    /// A mapping from names of a form to values of another, in the order of the file.
    static func mapping<Item: Sendable, Element: Sendable>(
        of item: NodeForm<Item>,
        named name: ValueForm<String>,
        _ countMax: Int,
        _ element: @escaping @Sendable (String, Item) -> Element
    ) -> Self where Value == [Element] {
        Self(
            unit: "mapping of \(name.unit) to \(item.unit)",
            range: "at most \(countMax)",
            schema: .members(
                ("type", .string("object")),
                ("additionalProperties", item.takesNull ? item.schema.orNull : item.schema),
                ("maxProperties", .integer(countMax))
            ),
            objects: item.objects,
            format: { _ in "" },
            read: { node, path, context throws(SettingsError) in
                guard case .mapping(let entries) = node.content else {
                    throw context.document.fault(path, "expected a mapping by \(name.unit)")
                }
                guard entries.count <= countMax else {
                    throw context.document.fault(path, "\(entries.count) items: expected at most \(countMax)")
                }
                var elements: [Element] = []
                for entry in entries {
                    let path = path.key(entry.key)
                    guard let key = name.parse(entry.key) else {
                        let reason = name.reason(entry.key) ?? "expected \(name.expected)"
                        let shown = SettingsError.quoted(entry.key)
                        throw context.document.fault(path, at: entry.keyPosition, "\(shown): \(reason)")
                    }
                    elements.append(element(key, try item.read(entry.value, path, context)))
                }
                return elements
            }
        )
    }
}
