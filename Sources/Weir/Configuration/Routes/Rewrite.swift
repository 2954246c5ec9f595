// SPDX-License-Identifier: Apache-2.0
// What an upstream gets as path and host instead of what the client sent.

import WeirDocument

/// What an upstream gets as path and host; nil for what the client sent.
package struct Rewrite: Sendable, Equatable {
    /// The path, with parameters of the route's pattern: `/orders/:id`. The query stays.
    package var path: String?
    /// What stands in front of the catch-all's rest, instead of the pattern up to there.
    package var prefix: String?
    /// The Host field.
    package var host: String?
}

extension Rewrite: ConfigurationObject {
    static let name = "rewrite"
    static let summary = "What the upstream gets as path and host instead of what the client sent. The query stays."

    static let fields = [
        ConfigurationField<Self>(
            "path",
            \.path,
            .optional(.value(.pathTemplate)),
            "The whole path; `:id` and `*rest` stand for the parameters of `match.path`"
        ),
        ConfigurationField<Self>(
            "prefix",
            \.prefix,
            .optional(.value(.requestPath)),
            "What stands in front of the part that `*` has matched: `/v1/*rest` with the prefix `/` loses its `/v1`"
        ),
        ConfigurationField<Self>("host", \.host, .optional(.value(.authority)), "The Host field"),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if self.path != nil, prefix != nil {
            throw context.document.fault(path.key("prefix"), "expected path or prefix, not both")
        }
        if let prefix, prefix.contains("?") || !prefix.hasSuffix("/") {
            throw context.document.fault(path.key("prefix"), "\"\(prefix)\": expected a path that ends with /")
        }
        for (name, text) in [("path", self.path), ("prefix", prefix)] {
            guard let text else { continue }
            if RequestTarget.hasDotSegments(text) {
                throw context.document.fault(path.key(name), "\"\(text)\": expected a path without dot segments")
            }
            if text.contains("//") || text.contains("\\") {
                throw context.document.fault(path.key(name), "\"\(text)\": expected a path without // and \\")
            }
        }
    }
}

extension ValueForm where Value == String {
    /// A pattern whose parameters are filled in. Which there are, the route says.
    fileprivate static var pathTemplate: Self {
        let path = requestPath
        return Self(
            unit: path.unit,
            range: path.range,
            expected: "a path such as /orders/:id, without a query",
            parse: { text in text.contains("?") ? nil : path.parse(text) },
            format: { $0 },
            schema: path.schema
        )
    }
}
