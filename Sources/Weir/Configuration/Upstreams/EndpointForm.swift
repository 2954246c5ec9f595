// SPDX-License-Identifier: Apache-2.0
// An endpoint in the configuration file: one text as in WEIR_UPSTREAM, or a mapping.

import WeirDocument
import WeirUpstream

extension NodeForm where Value == EndpointURL {
    /// `http://10.0.0.1:8080;weight=3`, or `{url: …, weight: 3}`.
    static var endpoint: Self {
        NodeForm<EndpointFields>.object.map { fields, path, context throws(SettingsError) in
            guard let url = fields.url else { throw context.document.fault(path, "url is missing") }
            guard let weight = fields.weight else { return url }
            if url.weight != EndpointURL.weightDefault {
                throw context.document.fault(path.key("weight"), "the url has a weight already; write one of them")
            }
            return EndpointURL(scheme: url.scheme, place: url.place, weight: weight)
        }.or(.value(.endpoint))
    }
}

extension ValueForm where Value == EndpointURL {
    static var endpoint: Self {
        Self(
            unit: "endpoint",
            range: "–",
            expected: "an endpoint such as http://10.0.0.1:8080;weight=3 or unix:/run/orders.sock",
            parse: { try? EndpointURL(parsing: $0) },
            format: \.description,
            reason: { text in
                do throws(EndpointURLError) {
                    _ = try EndpointURL(parsing: text)
                    return nil
                } catch {
                    return error.description
                }
            },
            schema: .text("([Hh][Tt][Tt][Pp][Ss]?://|unix:/).*")
        )
    }
}

/// The mapping of an endpoint as it is read.
private struct EndpointFields: ConfigurationObject {
    static let name = "endpoint"
    static let summary = "One endpoint of an upstream."

    var url: EndpointURL?
    var weight: Int?

    static let fields = [
        ConfigurationField<Self>(
            "url",
            \.url,
            .optional(.value(.endpoint)),
            "Where it listens: `http://10.0.0.1:8080`, `https://orders.shop.svc`, `unix:/run/orders.sock`",
            isRequired: true
        ),
        ConfigurationField<Self>(
            "weight",
            \.weight,
            .optional(.value(.number(1...EndpointURL.weightMax))),
            "Its share of the requests beside the weights of the others; 1 where it is not given"
        ),
    ]

    init(_ settings: Settings) {}
}
