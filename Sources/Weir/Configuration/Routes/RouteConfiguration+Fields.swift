// SPDX-License-Identifier: Apache-2.0
// The fields of a route in the configuration file, and which of them fit together.

import WeirDocument

extension RouteConfiguration: ConfigurationObject {
    static let name = "route"
    static let summary =
        "Which requests, and what becomes of them. A path's more exact pattern wins, as in the library; "
        + "of routes for the same host, path and method the first whose `headers` hold takes the request."
    static let alternatives = ["upstream", "split", "redirect"]

    /// The most routes, and the most upstreams among which one divides its requests.
    package static let countMax = 10_000
    static let splitMax = 64

    static let fields: [ConfigurationField<Self>] = targetFields + flowFields + messageFields

    private static let targetFields: [ConfigurationField<Self>] = [
        ConfigurationField("match", \.match, .object, "Which requests; all where it is not given"),
        ConfigurationField(
            "upstream",
            \.upstream,
            .optional(.value(.name(of: "upstream"))),
            "The upstream that they are passed on to"
        ),
        ConfigurationField(
            "split",
            \.split,
            .list(of: .object, 1...splitMax),
            "Upstreams that share them by weight: `[{upstream: blue, weight: 95}, {upstream: green, weight: 5}]`"
        ),
        ConfigurationField("redirect", \.redirect, .optional(.object), "They are answered by a redirect"),
        ConfigurationField("mirror", \.mirror, .optional(.object), "They are also sent elsewhere"),
    ]

    private static let flowFields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "deadline",
            \.deadline,
            .value(.duration(.milliseconds(1) ... .seconds(3600))),
            "Within what time a response's head must be there; else 504. Not above `WEIR_DEADLINE`",
            inherits: "WEIR_DEADLINE"
        ),
        ConfigurationField(
            "pool",
            \.poolName,
            .value(.name(of: "pool")),
            "Where they wait to run: one of `pools`, `pod` for that of all, `none` to run at once whatever else runs"
        ),
        ConfigurationField(
            "concurrency",
            \.concurrency,
            .optional(.value(.concurrency(1...1_000_000))),
            "A pool of the route's own: how many run at once; `auto` is 256 for each CPU here"
        ),
        ConfigurationField(
            "queue",
            \.queue,
            .optional(.value(.count(0...1_000_000))),
            "How many wait in the route's own pool; `auto` is 4 for each that may run"
        ),
        ConfigurationField(
            "priority",
            \.priority,
            .value(.priority),
            "Who goes first where requests wait, and who is turned away first"
        ),
        ConfigurationField(
            "limit",
            \.limits,
            .rateLimits,
            "How many are let through in a time, beside `WEIR_RATE_LIMIT`: `100/s;burst=20;by=client`, or a mapping"
        ),
        ConfigurationField("retry", \.retry, .object, "When a request is sent again"),
        ConfigurationField(
            "guard",
            \.liveGuard,
            .optional(.object),
            "What happens while it is slower than its baseline"
        ),
    ]

    private static let messageFields: [ConfigurationField<Self>] = [
        ConfigurationField("rewrite", \.rewrite, .object, "What the upstream gets as path and host"),
        ConfigurationField("headers", \.headers, .object, "Header fields that are written and taken away"),
        ConfigurationField("tags", \.tags, .optional(.object), "A request field that selects an upstream"),
    ]

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if redirect != nil {
            for field in ["mirror", "retry", "rewrite", "tags", "guard"] where node.gives(field) {
                throw context.document.fault(path.key(field), "a redirect is passed on to nobody; remove one of them")
            }
            if !headers.request.isEmpty {
                throw context.document.fault(
                    path.key("headers").key("request"),
                    "a redirect is passed on to nobody; remove one of them"
                )
            }
        }
        if node.gives("pool"), concurrency != nil {
            throw context.document.fault(path.key("concurrency"), "expected pool or concurrency, not both")
        }
        if queue != nil, concurrency == nil {
            throw context.document.fault(path.key("queue"), "only a route with concurrency has a queue of its own")
        }
        try checkSplit(path, context)
    }

    private func checkSplit(_ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        let path = path.key("split")
        for (index, share) in split.enumerated()
        where split[..<index].contains(where: { $0.upstream == share.upstream }) {
            throw context.document.fault(
                path.index(index).key("upstream"),
                "\"\(share.upstream)\" has a share already; add up their weights"
            )
        }
        if !split.isEmpty, split.allSatisfy({ $0.weight == 0 }) {
            throw context.document.fault(path, "all weights are 0; expected one above")
        }
    }
}

extension WeightedUpstream: ConfigurationObject {
    static let name = "split"
    static let summary = "A share of a route's requests."

    static let fields = [
        ConfigurationField<Self>(
            "upstream",
            \.upstream,
            .value(.name(of: "upstream")),
            "The upstream's name",
            isRequired: true
        ),
        ConfigurationField<Self>(
            "weight",
            \.weight,
            .value(.number(0...1_000_000)),
            "Its share beside the weights of the others; 0 is none",
            isRequired: true
        ),
    ]

    package init(_ settings: Settings) {
        self.init(upstream: "", weight: 0)
    }
}

extension Mirror: ConfigurationObject {
    static let name = "mirror"
    static let summary = "Requests that are also sent elsewhere; what comes back is thrown away."

    static let fields = [
        ConfigurationField<Self>(
            "upstream",
            \.upstream,
            .value(.name(of: "upstream")),
            "The upstream's name",
            isRequired: true
        ),
        ConfigurationField<Self>(
            "percent",
            \.percent,
            .value(.percent(1...100)),
            "How many of the requests, by chance"
        ),
        ConfigurationField<Self>(
            "concurrency",
            \.concurrency,
            .value(.number(1...1_000_000)),
            "How many copies may be unanswered at a time; beyond it requests are not copied"
        ),
        ConfigurationField<Self>(
            "bodies",
            \.bodies,
            .value(.flag),
            "Requests that have a body are copied, too"
        ),
    ]

    package init(_ settings: Settings) {}
}

extension Redirect: ConfigurationObject {
    static let name = "redirect"
    static let summary = "An answer that sends the client elsewhere."

    static let fields = [
        ConfigurationField<Self>(
            "to",
            \.target,
            .value(.redirectTarget),
            "A URL or an absolute path; a URL without a path (`https://shop.example.com`) keeps path and query",
            isRequired: true
        ),
        ConfigurationField<Self>(
            "status",
            \.status,
            .value(.oneOf([301, 302, 303, 307, 308], unit: "status")),
            "The answer's status; 307 and 308 keep the method"
        ),
    ]

    package init(_ settings: Settings) {}
}

extension ValueForm where Value == Priority {
    static var priority: Self {
        let names: [(String, Priority)] = [("critical", .critical), ("default", .default), ("sheddable", .sheddable)]
        let list = names.map(\.0).joined(separator: ", ")
        return Self(
            unit: "name",
            range: list,
            expected: "one of \(list)",
            parse: { text in names.first { $0.0 == text.lowercased() }?.1 },
            format: { priority in names.first { $0.1 == priority }?.0 ?? "" },
            schema: .choice(names.map(\.0))
        )
    }
}

extension ValueForm where Value == String {
    /// What a Location field may say: `https://host/path`, or `/path`.
    fileprivate static var redirectTarget: Self {
        let bytesMax = 2048
        return Self(
            unit: "URL or path",
            range: "at most \(bytesMax) bytes",
            expected: "http://…, https://… or an absolute path, "
                + "of at most \(bytesMax) visible ASCII characters without \\",
            parse: { text in
                // Browsers read a backslash as a slash (WHATWG URL, section 4.4).
                let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
                guard text.utf8.count <= bytesMax, isVisible else { return nil }
                // A path that begins with two slashes is a URL of another host (RFC 3986 section 4.2).
                if text.hasPrefix("/") { return text.hasPrefix("//") ? nil : text }
                for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
                    let authority = text.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
                    return ValueForm<String>.authority.parse(String(authority)) == nil ? nil : text
                }
                return nil
            },
            format: { $0 },
            schema: .text(#"https?://[!-\[\]-~]+|/([!-.0-\[\]-~][!-\[\]-~]*)?"#)
        )
    }
}
