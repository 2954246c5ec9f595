// SPDX-License-Identifier: Apache-2.0
// When real traffic takes an endpoint out, and when a breaker keeps requests from it.

import WeirDocument

/// When an endpoint that does worse than the others is taken out, and for how long. Never the last one.
package struct EjectionConfiguration: Sendable, Equatable {
    package var interval: Duration = .seconds(10)
    package var consecutiveFailures = 5
    package var requestsMin = 20
    package var failureMarginPercent = 5
    /// Nil where latency ejects nobody.
    package var latencyFactor: Double? = 3
    package var time: Duration = .seconds(30)
    package var timeMax: Duration = .seconds(300)
    package var ejectedMaxPercent = 50
}

extension EjectionConfiguration: ConfigurationObject {
    static let name = "ejection"
    static let summary = "When an endpoint that does worse than the others is taken out for a time. Never the last one."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "interval",
            \.interval,
            .value(.duration(.seconds(1) ... .seconds(600))),
            "How often endpoints are compared"
        ),
        ConfigurationField(
            "consecutive-failures",
            \.consecutiveFailures,
            .value(.number(1...1000)),
            "So many failures in a row are looked at at once"
        ),
        ConfigurationField(
            "requests-min",
            \.requestsMin,
            .value(.number(1...1_000_000)),
            "With fewer requests in the interval an endpoint is compared over a longer time"
        ),
        ConfigurationField(
            "failure-margin",
            \.failureMarginPercent,
            .value(.percent(1...100)),
            "How much higher than the others' its share of failures must be"
        ),
        ConfigurationField(
            "latency-factor",
            \.latencyFactor,
            .orOff(.value(.factor(thousandths: 1100...100_000))),
            "How many times the others' its typical latency must be"
        ),
        ConfigurationField(
            "time",
            \.time,
            .value(.duration(.seconds(1) ... .seconds(3600))),
            "How long the first ejection lasts; each further one longer"
        ),
        ConfigurationField(
            "time-max",
            \.timeMax,
            .value(.duration(.seconds(1) ... .seconds(86400))),
            "How long one lasts at most; not below `time`"
        ),
        ConfigurationField(
            "ejected-max",
            \.ejectedMaxPercent,
            .value(.percent(1...100)),
            "How many of the endpoints may be out at a time; one always, if another is left"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if timeMax < time { throw context.document.fault(path.key("time-max"), "expected a time not below time") }
    }
}

/// When an endpoint that fails is left alone, and how it is tried again.
package struct BreakerConfiguration: Sendable, Equatable {
    package var failures = 5
    package var probes = 1
    package var open: Duration = .seconds(1)
    package var openMax: Duration = .seconds(5)
}

extension BreakerConfiguration: ConfigurationObject {
    static let name = "breaker"
    static let summary = "When an endpoint that fails is left alone (open), and how it is tried again (half-open)."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField("failures", \.failures, .value(.number(1...255)), "So many failures in a row open it"),
        ConfigurationField(
            "probes",
            \.probes,
            .value(.number(1...255)),
            "So many requests try the endpoint again; all must succeed"
        ),
        ConfigurationField(
            "open",
            \.open,
            .value(.duration(.milliseconds(100) ... .seconds(600))),
            "How long it is open at first; twice as long each time that a probe fails"
        ),
        ConfigurationField(
            "open-max",
            \.openMax,
            .value(.duration(.milliseconds(100) ... .seconds(3600))),
            "How long it is open at most; not below `open`"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if openMax < open { throw context.document.fault(path.key("open-max"), "expected a time not below open") }
    }
}
