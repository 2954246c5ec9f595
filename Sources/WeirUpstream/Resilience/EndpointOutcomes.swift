// SPDX-License-Identifier: Apache-2.0
// How the requests of one endpoint have ended. Shared by all loops; counts only, judged elsewhere (OutlierEjection).

import Synchronization
package import WeirEventLoop

/// How a request to an endpoint ended, as far as the endpoint had a part in it.
///
/// Nothing is noted where it had none: the client left, or allowed less time than the endpoint usually takes (else one
/// client with tiny deadlines could have any endpoint ejected); or an unused connection was closed just as it was taken.
package enum EndpointOutcome: Equatable, Sendable {
    /// A response that is none of the following; how long its head took from the whole request.
    case answered(Nanoseconds)
    /// 429, or 503 with `Retry-After`: it lives and says that it is full. ``BackPressure`` sees to that.
    case refused
    /// 502, 503 or 504: it says itself that it cannot serve.
    case gatewayFailure
    /// Another 5xx. One request may cause it by what it asks for, so it ends no run of failures and makes none.
    case serverError
    /// No connection, or one that broke off before the response's head. ``CircuitBreaker`` sees to runs of them.
    case connectionFailure
    /// No response in the time that any request is given.
    case timeout

    /// What a response's status says.
    package init(status: Int, hasRetryAfter: Bool, after latency: Nanoseconds) {
        switch status {
        case 429: self = .refused
        case 503 where hasRetryAfter: self = .refused
        case 502...504: self = .gatewayFailure
        case 500...599: self = .serverError
        default: self = .answered(latency)
        }
    }
}

/// The counts of one endpoint, on a cache line of their own.
///
/// All atomics are relaxed: none publishes another, and what reads them takes differences over seconds.
package struct EndpointOutcomes: ~Copyable {
    private let line = CacheLine(Cell())

    package init() {}

    /// Counts a request that has ended. Any thread.
    package func note(_ outcome: EndpointOutcome) { line.address.pointee.note(outcome) }

    /// What they stand at. Any thread.
    package var counts: OutcomeCounts { line.address.pointee.counts }
}

extension EndpointOutcomes {
    /// What lies on the line.
    struct Cell: ~Copyable, Sendable {
        /// The number of answers in the high bits, and the sum of the logarithms of their latencies: one addition for both.
        private let answers = Atomic<UInt64>(0)
        /// The sum of the squares of these logarithms, which tells how much the latencies differ.
        private let squares = Atomic<UInt64>(0)
        private let refusals = Atomic<UInt64>(0)
        private let gatewayFailures = Atomic<UInt64>(0)
        private let serverErrors = Atomic<UInt64>(0)
        private let connectionFailures = Atomic<UInt64>(0)
        private let timeouts = Atomic<UInt64>(0)
        /// What gateway failures and timeouts stood at when a request was last answered: the run is what came since.
        private let runStart = Atomic<UInt64>(0)

        func note(_ outcome: EndpointOutcome) {
            switch outcome {
            case .answered(let latency):
                let failures = runFailures
                // Looked at first: as a rule nothing has failed, and a load costs a tenth of a store to a shared line.
                if runStart.load(ordering: .relaxed) != failures { runStart.store(failures, ordering: .relaxed) }
                let logarithm = OutcomeCounts.logarithm(latency)
                answers.wrappingAdd(OutcomeCounts.answer(logarithm), ordering: .relaxed)
                squares.wrappingAdd(logarithm &* logarithm, ordering: .relaxed)
            case .gatewayFailure: gatewayFailures.wrappingAdd(1, ordering: .relaxed)
            case .timeout: timeouts.wrappingAdd(1, ordering: .relaxed)
            case .refused: refusals.wrappingAdd(1, ordering: .relaxed)
            case .serverError: serverErrors.wrappingAdd(1, ordering: .relaxed)
            case .connectionFailure: connectionFailures.wrappingAdd(1, ordering: .relaxed)
            }
        }

        private var runFailures: UInt64 {
            gatewayFailures.load(ordering: .relaxed) &+ timeouts.load(ordering: .relaxed)
        }

        var counts: OutcomeCounts {
            OutcomeCounts(
                answers: answers.load(ordering: .relaxed),
                squares: squares.load(ordering: .relaxed),
                refusals: refusals.load(ordering: .relaxed),
                gatewayFailures: gatewayFailures.load(ordering: .relaxed),
                serverErrors: serverErrors.load(ordering: .relaxed),
                connectionFailures: connectionFailures.load(ordering: .relaxed),
                timeouts: timeouts.load(ordering: .relaxed),
                runStart: runStart.load(ordering: .relaxed)
            )
        }
    }
}
