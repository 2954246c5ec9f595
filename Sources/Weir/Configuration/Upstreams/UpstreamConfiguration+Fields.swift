// SPDX-License-Identifier: Apache-2.0
// The fields of an upstream in the configuration file.

import WeirDocument
import WeirUpstream

extension UpstreamConfiguration: ConfigurationObject {
    static let name = "upstream"
    static let summary =
        "Endpoints that stand for each other, and how one of them is chosen. "
        + "`endpoints` or `discover` says where they are; those of `default` may also be `WEIR_UPSTREAM`'s."

    /// The most upstreams.
    package static let countMax = 1000

    static let fields: [ConfigurationField<Self>] = sourceFields + choiceFields + healthFields + connectionFields

    private static let sourceFields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "endpoints",
            \.endpoints,
            .list(of: .endpoint, 1...EndpointURL.endpointsMax),
            "Where it is: `https://orders.shop.svc`, `http://10.0.0.1:8080;weight=3`, or `{url: http://10.0.0.1:8080, weight: 3}`"
        ),
        ConfigurationField(
            "discover",
            \.discover,
            .optional(.value(.discoverySource)),
            "Where its endpoints are found: `file:///run/orders.json`, `dns://orders.shop.svc:8080`, "
                + "`dns+srv://_http._tcp.orders.shop.svc`, `consul://127.0.0.1:8500/orders?tag=v2`, "
                + "`k8s://shop/orders:http`"
        ),
    ]

    private static let choiceFields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "balance",
            \.balance,
            .value(.choice),
            "How an endpoint is chosen: the faster of two, in turn, the same for the same `hash`, the first that can serve",
            inherits: "WEIR_UPSTREAM_BALANCE"
        ),
        ConfigurationField(
            "hash",
            \.hash,
            .hashKey,
            "What `maglev` chooses by: `client`, `{header: NAME}` or `{cookie: NAME}`; a request without it goes by its client"
        ),
        ConfigurationField(
            "panic-threshold",
            \.panicThresholdPercent,
            .value(.percent(0...100)),
            "When fewer of the endpoints are healthy, all are used again; 0 never"
        ),
        ConfigurationField(
            "slow-start",
            \.slowStart,
            .value(.durationOrOff(.milliseconds(100) ... .seconds(900))),
            "How long an endpoint that was left alone takes to its whole weight"
        ),
    ]

    private static let healthFields: [ConfigurationField<Self>] = [
        ConfigurationField("check", \.check, .optional(.object), "How the endpoints are asked whether they are well"),
        ConfigurationField("weights", \.weights, .object, "What an endpoint's health makes of its weight"),
        ConfigurationField(
            "ejection",
            \.ejection,
            .orOff(.object),
            "When real traffic takes an endpoint out for a time"
        ),
        ConfigurationField("breaker", \.breaker, .orOff(.object), "When an endpoint that fails is left alone"),
    ]

    private static let connectionFields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "connections",
            \.connectionsMax,
            .value(.number(1...1_000_000)),
            "The most connections to one endpoint; requests beyond wait for one",
            inherits: "WEIR_UPSTREAM_CONNECTIONS"
        ),
        ConfigurationField(
            "waiting",
            \.waitingMax,
            .value(.number(0...1_000_000)),
            "The most requests of one loop that wait for a connection; one more is answered 503",
            inherits: "WEIR_UPSTREAM_WAITING"
        ),
        ConfigurationField(
            "timeouts",
            \.timeouts,
            .object,
            "How long connections may take, be unused, and stand still"
        ),
        ConfigurationField(
            "header-bytes",
            \.headerBytes,
            .value(.size(1 << 10...256 << 10)),
            "The most bytes of header fields in a response",
            inherits: "WEIR_UPSTREAM_HEADER_BYTES"
        ),
        ConfigurationField(
            "header-fields",
            \.headerFields,
            .value(.number(8...1000)),
            "The most header fields in a response",
            inherits: "WEIR_UPSTREAM_HEADER_FIELDS"
        ),
        ConfigurationField(
            "proxy-protocol",
            \.proxyProtocol,
            .value(.choice),
            "The PROXY protocol's version that begins each connection",
            inherits: "WEIR_UPSTREAM_PROXY_PROTOCOL"
        ),
        ConfigurationField("tls", \.tls, .optional(.object), "How TLS is spoken with `https://` endpoints"),
    ]

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if !endpoints.isEmpty, discover != nil {
            throw context.document.fault(path.key("discover"), "expected endpoints or discover, not both")
        }
        if node.gives("hash"), balance != .maglev {
            throw context.document.fault(path.key("hash"), "only balance: maglev chooses by it")
        }
        if tls != nil, !endpoints.isEmpty, !endpoints.contains(where: { $0.scheme == .https }) {
            throw context.document.fault(path.key("tls"), "no endpoint begins with https://")
        }
        for (index, endpoint) in endpoints.enumerated() {
            guard endpoints[..<index].contains(where: { $0.place == endpoint.place }) else { continue }
            throw context.document.fault(
                path.key("endpoints").index(index),
                EndpointURLError.duplicate(url: endpoint.description).description
            )
        }
    }
}

extension HealthWeights: ConfigurationObject {
    static let name = "weights"
    static let summary =
        "What an endpoint's health makes of its weight: it is multiplied. A critical endpoint has none."

    static let fields = [
        ConfigurationField<Self>(
            "passing",
            \.passing,
            .value(.number(1...1000)),
            "While its checks pass"
        ),
        ConfigurationField<Self>(
            "warning",
            \.warning,
            .value(.number(0...1000)),
            "While a check warns; `{passing: 10, warning: 1}` leaves it a tenth"
        ),
    ]

    package init(_ settings: Settings) {}
}

extension UpstreamTimeouts: ConfigurationObject {
    static let name = "timeouts"
    static let summary = "How long a connection to an endpoint may take, be unused, and stand still."

    static let fields = [
        ConfigurationField<Self>(
            "connect",
            \.connect,
            .value(.duration(.milliseconds(10) ... .seconds(60))),
            "How long making a connection may take; then the next endpoint is tried",
            inherits: "WEIR_UPSTREAM_CONNECT_TIMEOUT"
        ),
        ConfigurationField<Self>(
            "idle",
            \.idle,
            .value(.duration(.milliseconds(10) ... .seconds(3600))),
            "How long an unused connection is kept",
            inherits: "WEIR_UPSTREAM_IDLE_TIMEOUT"
        ),
        ConfigurationField<Self>(
            "transfer",
            \.transfer,
            .value(.duration(.milliseconds(10) ... .seconds(3600))),
            "How long an endpoint may neither send nor take anything in the middle of a body",
            inherits: "WEIR_UPSTREAM_TRANSFER_TIMEOUT"
        ),
    ]

    package init(_ settings: Settings) {
        connect = settings.upstream.connectTimeout
        idle = settings.upstream.idleTimeout
        transfer = settings.upstream.transferTimeout
    }
}
