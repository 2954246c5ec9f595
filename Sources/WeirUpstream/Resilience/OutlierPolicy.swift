// SPDX-License-Identifier: Apache-2.0
// When an endpoint is an outlier among those that stand for each other, and what ejecting it means.

package import WeirEventLoop

package struct OutlierPolicy: Equatable, Sendable {
    /// How often endpoints are compared.
    package var interval: Nanoseconds = 10_000_000_000
    /// Gateway failures and timeouts in a row that are looked at at once, without waiting for the interval's end.
    package var consecutiveFailures = 5
    /// An endpoint with fewer requests, or whose others have fewer, is compared over up to
    /// ``OutlierEjection/horizonIntervals``, and not at all where these have fewer too.
    package var volumeMin = 20
    /// How much higher than the others' its share of failures is, at least, and how many times as high: below that an
    /// ejection costs more than it saves, however certain the difference.
    package var failureMargin = 0.05
    package var failureRatio = 1.5
    /// How likely it may be that the difference is chance. An endpoint is compared 8,640 times a day.
    package var significance = 0.00001
    /// How many times the others' its typical latency is, at least, and by how much more; a ratio of nil compares none.
    /// The ratio is one that is left when ``latencyErrors`` standard errors are taken off.
    package var latencyRatio: Double? = 3
    package var latencyMargin: Nanoseconds = 20_000_000
    package var latencyErrors = 2.0
    /// The first ejection lasts so long, the second twice, and so on. One is forgotten for each such time without.
    package var ejectionBase: Nanoseconds = 30_000_000_000
    package var ejectionMax: Nanoseconds = 300_000_000_000
    /// Up to this share is added by chance, so that replicas which ejected it together do not bring it back together.
    package var jitter = 0.1
    /// How many of the endpoints may be ejected together; one always, if another is left.
    package var ejectedPercentMax = 50

    package init() {}

    /// The length of an endpoint's ejection, of which so many came before.
    func duration(after count: Int, using random: inout some RandomNumberGenerator) -> Nanoseconds {
        let (length, overflow) = ejectionBase.multipliedReportingOverflow(by: Nanoseconds(count) + 1)
        let whole = overflow ? ejectionMax : min(length, ejectionMax)
        return whole + Nanoseconds(Double(whole) * Double.random(in: 0...jitter, using: &random))
    }
}

/// Why an endpoint was ejected.
package enum EjectionCause: Equatable, Sendable {
    case consecutiveFailures(Int)
    /// The share of requests that failed, and the others' share.
    case failureRate(Double, others: Double)
    /// The typical latency in nanoseconds, and the others'.
    case latency(Nanoseconds, others: Nanoseconds)

    /// The values of the label.
    package static let labels = ["consecutive_failures", "failure_rate", "latency"]

    /// The label's value.
    package var label: StaticString {
        switch self {
        case .consecutiveFailures: "consecutive_failures"
        case .failureRate: "failure_rate"
        case .latency: "latency"
        }
    }
}

/// What became of an endpoint, for the balancer, the log and the metrics.
package struct EjectionEvent: Equatable, Sendable {
    package enum Change: Equatable, Sendable {
        case ejected(EjectionCause, for: Nanoseconds)
        /// Its time is over.
        case returned
        /// Before its time: nothing else could be used any more.
        case returnedAsLast
    }

    package let endpoint: String
    package let change: Change

    package init(endpoint: String, change: Change) {
        self.endpoint = endpoint
        self.change = change
    }
}
