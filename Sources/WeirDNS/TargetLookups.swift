// SPDX-License-Identifier: Apache-2.0
// The addresses of the targets of a service. Confined to its resolver's loop.

import WeirEventLoop

/// Looks some names up, a few at a time, and tells all at once what came of it.
final class TargetLookups {
    /// A service of a thousand targets must not send its questions in one burst: servers drop what they cannot queue.
    private static let inFlightMax = 16

    struct Outcome {
        var addresses: [String: [SocketAddress]] = [:]
        /// In seconds: the least of all answers.
        var timeToLive = UInt32.max
        /// A failure that is no answer.
        var failure: DNSFailure?
    }

    private let resolver: DNSResolver
    /// What was found before: for targets whose lookup fails.
    private let known: [String: [SocketAddress]]
    private let done: (Outcome) -> Void
    private var waiting: [String]
    private var inFlightCount = 0
    private var outcome = Outcome()

    init(
        _ targets: Set<String>,
        known: [String: [SocketAddress]],
        by resolver: DNSResolver,
        done: @escaping (Outcome) -> Void
    ) {
        self.resolver = resolver
        self.known = known
        self.done = done
        waiting = targets.sorted(by: >)
    }

    /// Goes on until all is done; the lookups keep this object.
    func start() {
        while inFlightCount < Self.inFlightMax, let target = waiting.popLast() {
            inFlightCount += 1
            // A target is a whole name (RFC 2782): no search domain goes behind it.
            resolver.addresses(of: target + ".", port: 0) { self.answered(target, $0) }
        }
    }

    private func answered(_ target: String, _ answer: Result<DNSResolver.Addresses, DNSFailure>) {
        inFlightCount -= 1
        switch answer {
        case .success(let found):
            outcome.addresses[target] = found.list
            outcome.timeToLive = min(outcome.timeToLive, found.timeToLive)
        case .failure(let failure) where failure.isNegative:
            // The target is gone; asked again as soon as may be.
            outcome.timeToLive = 0
        case .failure(let failure):
            outcome.failure = failure
            outcome.addresses[target] = known[target]
        }
        if waiting.isEmpty, inFlightCount == 0 { done(outcome) } else { start() }
    }
}
