// SPDX-License-Identifier: Apache-2.0
// A request field whose value selects an upstream.

import WeirDocument
import WeirHTTP

/// A request field whose value selects an upstream, is passed on, logged and counted.
package struct TrafficTags: Sendable, Equatable {
    package struct Tag: Sendable, Equatable {
        package let value: String
        package let upstream: String
    }

    /// The field's name in lower case.
    package var header = ""
    /// Any other value is counted as none.
    package var tags: [Tag] = []
}

extension TrafficTags: ConfigurationObject {
    static let name = "tags"
    static let summary =
        "A request field whose value selects an upstream, is passed on, logged and counted. "
        + "Any other value is as none."

    /// The most values: each is a series of metrics.
    static let countMax = 64

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField("header", \.header, .value(.token), "The field's name", isRequired: true),
        ConfigurationField(
            "upstreams",
            \.tags,
            .mapping(of: NodeForm<String>.value(.name(of: "upstream")), named: .name(of: "value"), countMax) {
                Tag(value: $0, upstream: $1)
            },
            "The upstream of each value: `{canary: orders-canary}`",
            isRequired: true
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if HeaderNameSet.hopByHop.contains(HeaderName(header)) {
            throw context.document.fault(path.key("header"), "\(header) is for one connection and not passed on")
        }
    }
}
