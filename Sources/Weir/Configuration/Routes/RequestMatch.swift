// SPDX-License-Identifier: Apache-2.0
// Which requests a route is for.

import WeirDocument
import WeirRouting

/// Hosts, paths, methods and header fields of a route's requests. All must hold; of each, any one.
package struct RequestMatch: Sendable, Equatable {
    /// Empty for any.
    package var hosts: [String] = []
    /// Patterns in the route table's language.
    package var paths = ["/*path"]
    /// Empty for all but CONNECT.
    package var methods: [Method] = []
    /// All must hold.
    package var headers: [HeaderMatch] = []
    /// What the client's certificate must say. All must hold.
    package var client: [HeaderMatch] = []
}

/// A condition on a header field of a request, or on a part of its client's certificate.
package struct HeaderMatch: Sendable, Equatable {
    package enum Condition: Sendable, Equatable {
        /// The field is there, or is not.
        case present(Bool)
        case exact(String)
        case prefix(String)
    }

    /// In lower case.
    package let name: String
    package let condition: Condition
}

extension HeaderMatch.Condition {
    /// Whether every value that meets `other` meets this too.
    func isImplied(by other: Self) -> Bool {
        switch (self, other) {
        case (.present(true), .exact), (.present(true), .prefix): true
        case (.prefix(let own), .exact(let text)), (.prefix(let own), .prefix(let text)): text.hasPrefix(own)
        default: self == other
        }
    }
}

extension RequestMatch {
    /// Whether every request that meets `other`'s conditions on fields and certificates meets these too.
    func conditionsAreImplied(by other: RequestMatch) -> Bool {
        Self.areImplied(headers, by: other.headers) && Self.areImplied(client, by: other.client)
    }

    private static func areImplied(_ own: [HeaderMatch], by others: [HeaderMatch]) -> Bool {
        own.allSatisfy { own in
            others.contains { $0.name == own.name && own.condition.isImplied(by: $0.condition) }
        }
    }
}

extension RequestMatch: ConfigurationObject {
    static let name = "match"
    static let summary = "Which requests a route is for. All conditions must hold; of the items of a list, any one."

    static let itemsMax = 64

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "host",
            \.hosts,
            .list(of: .value(.host), 1...itemsMax, orOne: true),
            "`shop.example.com`, or `*.example.com` for one label or more in front; any where it is not given"
        ),
        ConfigurationField(
            "path",
            \.paths,
            .list(of: .value(.pathPattern), 1...itemsMax, orOne: true),
            "`/v1/orders/:id` has a parameter, `/v1/orders/*rest` takes all below"
        ),
        ConfigurationField(
            "methods",
            \.methods,
            .list(of: .value(.method), 1...8, orOne: true),
            "`[GET, POST]`; all but CONNECT where it is not given"
        ),
        ConfigurationField(
            "headers",
            \.headers,
            .mapping(of: .headerCondition, named: .token, itemsMax) { HeaderMatch(name: $0, condition: $1) },
            "Fields that must be as said: `{x-version: \"2\", x-beta: {present: true}, user-agent: {prefix: curl/}}`"
        ),
        ConfigurationField(
            "client",
            \.client,
            .mapping(of: .headerCondition, named: .certificatePart, 4) { HeaderMatch(name: $0, condition: $1) },
            "What the [client's certificate](tls.md#certificates-of-clients) must say, of `subject`, `fingerprint`, `uri`, `host`: "
                + "`{uri: \"spiffe://shop/orders\"}`"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        for (index, header) in headers.enumerated() where headers[..<index].contains(where: { $0.name == header.name })
        {
            throw context.document.fault(path.key("headers"), "\(header.name) is there twice; names have no case")
        }
    }
}

extension NodeForm where Value == HeaderMatch.Condition {
    /// A text that the field must be, or `{exact: …}`, `{prefix: …}`, `{present: true}`.
    fileprivate static var headerCondition: Self {
        let value = ValueForm<String>.fieldValue
        let exact = ValueForm<HeaderMatch.Condition>(
            unit: value.unit,
            range: value.range,
            expected: "a text that the field must be, or one of {exact: …}, {prefix: …}, {present: true}",
            parse: { value.parse($0).map { .exact($0) } },
            format: { _ in "" },
            schema: value.schema
        )
        return NodeForm<HeaderMatchFields>.object.map { fields, _, _ in
            fields.exact.map { .exact($0) } ?? fields.prefix.map { .prefix($0) } ?? .present(fields.present ?? true)
        }.or(.value(exact))
    }
}

/// The mapping of a condition as it is read.
private struct HeaderMatchFields: ConfigurationObject {
    static let name = "header-match"
    static let summary =
        "A condition on a header field of a request, or on a part of its client's certificate. Of a field that comes "
        + "several times the first counts, of several hosts and URIs any one."
    static let alternatives = ["exact", "prefix", "present"]

    var exact: String?
    var prefix: String?
    var present: Bool?

    static let fields = [
        ConfigurationField<Self>("exact", \.exact, .optional(.value(.fieldValue)), "What the field must be, with case"),
        ConfigurationField<Self>(
            "prefix",
            \.prefix,
            .optional(.value(.fieldValue)),
            "What the field must begin with, with case"
        ),
        ConfigurationField<Self>(
            "present",
            \.present,
            .optional(.value(.flag)),
            "Whether the field must be there, or must not"
        ),
    ]

    init(_ settings: Settings) {}
}

extension ValueForm where Value == String {
    /// A part of a client's certificate.
    fileprivate static var certificatePart: Self {
        let parts = ["subject", "fingerprint", "uri", "host"]
        return Self(
            unit: "part",
            range: parts.joined(separator: ", "),
            expected: "a part of a client's certificate: subject, fingerprint, uri or host",
            parse: { parts.contains($0) ? $0 : nil },
            format: { $0 },
            schema: .text("subject|fingerprint|uri|host")
        )
    }

    /// A route's host, which the route table checks.
    fileprivate static var host: Self {
        Self(
            unit: "host",
            range: "at most 253 bytes",
            expected: "a host such as shop.example.com or *.example.com",
            parse: { text in
                guard fault(host: text, pattern: "/") == nil else { return nil }
                // One name has one form: the table looks at neither case nor the final dot.
                return String((text.hasSuffix(".") ? text.dropLast() : text[...]).lowercased())
            },
            format: { $0 },
            reason: { fault(host: $0, pattern: "/") },
            schema: .word()
        )
    }

    /// A route's path, which the route table checks.
    fileprivate static var pathPattern: Self {
        Self(
            unit: "pattern",
            range: "at most 2048 bytes",
            expected: "a path such as /v1/orders/:id or /v1/orders/*rest",
            parse: { fault(host: nil, pattern: $0) == nil ? $0 : nil },
            format: { "`\($0)`" },
            reason: { fault(host: nil, pattern: $0) },
            schema: .text("/.*")
        )
    }

    private static func fault(host: String?, pattern: String) -> String? {
        var builder = RouteTableBuilder()
        do throws(RoutingError) {
            try builder.add(.get, host: host, pattern: pattern, route: 0)
            return nil
        } catch {
            return error.description
        }
    }
}

extension ValueForm where Value == Method {
    /// A method that is routed.
    fileprivate static var method: Self {
        let methods = Method.allCases.filter { $0 != .connect }
        let names = methods.map(\.rawValue).joined(separator: ", ")
        return Self(
            unit: "method",
            range: names,
            expected: "one of \(names)",
            parse: { text in methods.first { $0.rawValue == text.uppercased() } },
            format: \.rawValue,
            schema: .choice(methods.map(\.rawValue))
        )
    }
}
