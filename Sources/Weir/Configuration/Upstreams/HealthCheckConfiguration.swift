// SPDX-License-Identifier: Apache-2.0
// How an upstream's endpoints are asked whether they are well: Consul's words and its counting.

import WeirDocument

/// An active health check of every endpoint of an upstream.
package struct HealthCheckConfiguration: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// A GET of this path: 2xx is passing, 429 warning, all else critical.
        case http(path: String)
        /// A connection that can be made.
        case tcp
    }

    package var kind: Kind { http.map { .http(path: $0) } ?? .tcp }
    var http: String?
    var usesTCP = false

    /// What the Host field of the check says; nil for the endpoint's own.
    package var host: String?
    package var interval: Duration = .seconds(5)
    package var timeout: Duration = .seconds(1)
    package var successBeforePassing = 0
    /// Nil for as many as `failuresBeforeCritical`.
    package var failuresBeforeWarning: Int?
    package var failuresBeforeCritical = 0
}

extension HealthCheckConfiguration: ConfigurationObject {
    static let name = "check"
    static let summary =
        "How every endpoint is asked whether it is well, with Consul's meaning of each word. "
        + "The first run is at a random part of the interval."
    static let alternatives = ["http", "tcp"]

    private static let thresholds = 0...1000

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "http",
            \.http,
            .optional(.value(.requestPath)),
            "Asks for this path: a status of 2xx is passing, 429 warning, all else critical"
        ),
        ConfigurationField(
            "tcp",
            \.usesTCP,
            .value(.flag),
            "Makes a connection: passing if that works, else critical"
        ),
        ConfigurationField(
            "host",
            \.host,
            .optional(.value(.authority)),
            "What the check's Host field says; the endpoint's own where it is not given"
        ),
        ConfigurationField(
            "interval",
            \.interval,
            .value(.duration(.seconds(1) ... .seconds(3600))),
            "From one check to the next"
        ),
        ConfigurationField(
            "timeout",
            \.timeout,
            .value(.duration(.milliseconds(10) ... .seconds(600))),
            "How long a check may take; not above `interval`"
        ),
        ConfigurationField(
            "success-before-passing",
            \.successBeforePassing,
            .value(.number(thresholds)),
            "So many successes in a row make it passing; 0 and 1 are the same"
        ),
        ConfigurationField(
            "failures-before-warning",
            \.failuresBeforeWarning,
            .optional(.value(.number(thresholds))),
            "So many failures in a row make it warning; as `failures-before-critical` where it is 0 or not given"
        ),
        ConfigurationField(
            "failures-before-critical",
            \.failuresBeforeCritical,
            .value(.number(thresholds)),
            "So many failures in a row make it critical"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if http == nil, !usesTCP { throw context.document.fault(path.key("tcp"), "expected true, or http") }
        if http == nil, host != nil { throw context.document.fault(path.key("host"), "only an http check has a host") }
        if timeout > interval {
            throw context.document.fault(path.key("timeout"), "expected a time not above interval")
        }
        if let failuresBeforeWarning, failuresBeforeWarning > failuresBeforeCritical {
            throw context.document.fault(
                path.key("failures-before-warning"),
                "expected a number not above failures-before-critical"
            )
        }
    }
}
