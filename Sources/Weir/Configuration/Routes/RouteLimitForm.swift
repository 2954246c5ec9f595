// SPDX-License-Identifier: Apache-2.0
// The rate limits of a route in the configuration file: texts as in WEIR_RATE_LIMIT, or mappings of the same words.

import WeirDocument
import WeirFlow

extension NodeForm where Value == [RateLimit] {
    /// One limit or a list. The mappings are brought to the text's form, so that both have the same rules.
    static var rateLimits: Self {
        let short = ValueForm<String>(
            unit: "rate limit",
            range: "–",
            expected: "one limit such as 100/s;burst=20;by=client; several are a list",
            parse: { $0.contains(",") ? nil : $0 },
            format: { $0 },
            schema: .text("[ \\t]*[0-9]+[ \\t]*/.*")
        )
        let item = NodeForm<LimitFields>.object.map { fields, _, _ in fields.text }.or(NodeForm<String>.value(short))
        let counts = 1...RouteLimits.limitsMax
        return NodeForm<[String]>.list(of: item, counts, orOne: true).map {
            texts,
            path,
            context throws(SettingsError) in
            do throws(RateLimitSyntaxError) {
                return try RateLimit.parse(texts.joined(separator: ","))
            } catch {
                let item = path.index(error.item - 1)
                // A text has no field for its option; the fault is then said of the text.
                let fault = "\(SettingsError.quoted(error.text)): \(error.problem.expected)"
                throw context.document.fault(item.key(error.option ?? "rate"), fault)
            }
        }
    }
}

/// The mapping of a limit as it is read: the words of the text.
private struct LimitFields: ConfigurationObject {
    static let name = "limit"
    static let summary = "A rate limit, as in [admission.md](admission.md#rate-limits)."

    var rate = ""
    var burst: String?
    var key: String?
    var algorithm: String?
    var label: String?

    var text: String {
        let options = [("burst", burst), ("by", key), ("algorithm", algorithm), ("name", label)]
        return options.reduce(rate) { text, option in option.1.map { "\(text);\(option.0)=\($0)" } ?? text }
    }

    static let fields = [
        ConfigurationField<Self>(
            "rate",
            \.rate,
            .value(.limitWord("rate", "1 to 1000000000 in 1s to 365d", "a rate such as 100/s or 5/10m")),
            "How many in which time: `100/s`, `5/10m`",
            isRequired: true
        ),
        ConfigurationField<Self>(
            "burst",
            \.burst,
            .optional(
                .value(
                    .limitWord(
                        "number",
                        "1 to 1000000000",
                        "a whole number of requests",
                        schema: .integer(1...1_000_000_000, or: "[ \\t]*[0-9]+[ \\t]*")
                    )
                )
            ),
            "How many at once from rest; the rate's amount where it is not given"
        ),
        ConfigurationField<Self>(
            "by",
            \.key,
            .optional(
                .value(
                    .limitWord(
                        "key",
                        "none, client, subject, host, route, header:NAME, param:NAME",
                        "none, client, subject, host, route, header:NAME or param:NAME"
                    )
                )
            ),
            "What tells one client from another; `none`, all together, where it is not given"
        ),
        ConfigurationField<Self>(
            "algorithm",
            \.algorithm,
            .optional(
                .value(
                    .limitWord(
                        "name",
                        "gcra, sliding-window, token-bucket",
                        "gcra, sliding-window or token-bucket",
                        schema: .choice(["gcra", "sliding-window", "token-bucket"], as: { "[ \\t]*\($0)[ \\t]*" })
                    )
                )
            ),
            "How it counts; `gcra` where it is not given"
        ),
        ConfigurationField<Self>(
            "name",
            \.label,
            .optional(
                .value(
                    .limitWord(
                        "name",
                        "1 to 64 characters",
                        "1 to 64 characters without commas and semicolons",
                        schema: .word()
                    )
                )
            ),
            "What fields and metrics call it; what it counts by where it is not given"
        ),
    ]

    init(_ settings: Settings) {}
}

extension ValueForm where Value == String {
    /// A word of a limit's text, which is looked at with the whole text; it may hold nothing that parts the text.
    fileprivate static func limitWord(
        _ unit: String,
        _ range: String,
        _ expected: String,
        schema: ScalarSchema = .text
    ) -> Self {
        Self(
            unit: unit,
            range: range,
            expected: expected,
            parse: { $0.contains { ",;".contains($0) } ? nil : $0 },
            format: { $0 },
            schema: schema
        )
    }
}
