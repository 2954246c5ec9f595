// SPDX-License-Identifier: Apache-2.0
// What sticks a request to an endpoint: `client`, `{header: NAME}` or `{cookie: NAME}`.

import WeirDocument

/// What maglev chooses an endpoint by.
package enum HashKey: Sendable, Equatable {
    case client
    /// The field's name in lower case.
    case header(String)
    case cookie(String)
}

extension NodeForm where Value == HashKey {
    static var hashKey: Self {
        let client = ValueForm<HashKey>(
            unit: "`client`",
            range: "–",
            expected: "client, {header: NAME} or {cookie: NAME}",
            parse: { $0 == "client" ? .client : nil },
            format: { _ in "client" },
            schema: .choice(["client"], as: { $0 })
        )
        return NodeForm<HashKeyFields>.object.map(format: client.format) { fields, _, _ in
            fields.header.map { .header($0) } ?? fields.cookie.map { .cookie($0) } ?? .client
        }.or(.value(client))
    }
}

/// The mapping as it is read.
private struct HashKeyFields: ConfigurationObject {
    static let name = "hash"
    static let summary = "What `maglev` chooses an endpoint by."
    static let alternatives = ["header", "cookie"]

    var header: String?
    var cookie: String?

    static let fields = [
        ConfigurationField<Self>("header", \.header, .optional(.value(.token)), "The value of this request field"),
        ConfigurationField<Self>("cookie", \.cookie, .optional(.value(.cookieName)), "The value of this cookie"),
    ]

    init(_ settings: Settings) {}
}

extension ValueForm where Value == String {
    /// A cookie's name, whose case counts (RFC 6265 section 4.1.1).
    fileprivate static var cookieName: Self {
        let field = token
        return Self(
            unit: "cookie",
            range: field.range,
            expected: "a cookie's name, such as session",
            parse: { field.parse($0) == nil ? nil : $0 },
            format: { $0 },
            schema: field.schema
        )
    }
}
