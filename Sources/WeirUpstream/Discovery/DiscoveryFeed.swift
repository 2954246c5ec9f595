// SPDX-License-Identifier: Apache-2.0
// Between a provider and its upstream: decides what of the source's answers is believed. Confined to the provider's loop.

/// What the owner of a feed is told, in order and on the loop's thread.
package enum DiscoveryNews: Sendable, Equatable {
    /// The whole list, when it has changed.
    case endpoints([DiscoveredEndpoint])
    /// The source cannot be used, in one line for the log; what was listed last stays. Said once for each new reason.
    case failing(String)
    /// The source can be used again, in one line for the log.
    case recovered(String)
}

/// Keeps the last good list of one upstream's endpoints.
///
/// A source that fails takes nothing away, and neither does one that suddenly lists nothing: a server that has lost its
/// data says the same as one whose service has no endpoint, and endpoints that are really gone are found out by asking
/// them. So an upstream keeps what worked, and somebody is told.
package final class DiscoveryFeed {
    /// The most endpoints of one upstream, unless it is told otherwise; it can be told up to `Upstream.endpointsMax`.
    package static let endpointsMaxDefault = 1000

    package let upstream: String
    package let kind: DiscoveryKind
    package let counts: DiscoveryCounts
    /// The last good list; empty until there was one.
    package private(set) var endpoints: [DiscoveredEndpoint] = []
    private let endpointsMax: Int
    private let sink: (DiscoveryNews) -> Void
    /// The failure that was reported last, while it lasts.
    private var problem: String?

    package init(
        upstream: String,
        kind: DiscoveryKind,
        endpointsMax: Int = endpointsMaxDefault,
        sink: @escaping (DiscoveryNews) -> Void
    ) {
        precondition((1...Upstream.endpointsMax).contains(endpointsMax), "an upstream has 1 to 4096 endpoints")
        self.upstream = upstream
        self.kind = kind
        counts = DiscoveryCounts(upstream: upstream, kind: kind)
        self.endpointsMax = endpointsMax
        self.sink = sink
    }

    /// The source lists these, in an order that depends on nothing but them. What is listed twice counts once.
    ///
    /// - Parameter problem: what kept the provider from reading it all, where something did.
    package func found(_ list: [DiscoveredEndpoint], butFailed problem: String? = nil) {
        var places: Set<EndpointURL.Place> = []
        let distinct = list.filter { places.insert($0.url.place).inserted }
        guard !distinct.isEmpty else { return report("lists no endpoint", as: .empty) }
        let taken = Array(distinct.prefix(endpointsMax))
        let isCut = taken.count < distinct.count
        let isChanged = taken != endpoints
        if isChanged {
            endpoints = taken
            counts.setEndpointCount(taken.count)
            sink(.endpoints(taken))
        }
        guard !isCut else {
            return report("lists \(distinct.count) endpoints, of which the first \(endpointsMax) are used", as: .cut)
        }
        if let problem { return failed(problem) }
        counts.note(isChanged ? .changed : .unchanged)
        guard self.problem != nil else { return }
        self.problem = nil
        sink(.recovered("\(subject) lists \(taken.count) endpoint\(taken.count == 1 ? "" : "s") again"))
    }

    /// The source could not be read: `problem` says what and why, in one line.
    package func failed(_ problem: some CustomStringConvertible) {
        report("failed: \(problem)", as: .failed)
    }

    private func report(_ text: String, as outcome: DiscoveryOutcome) {
        counts.note(outcome)
        guard text != problem else { return }
        problem = text
        let kept = outcome == .cut ? "" : endpoints.isEmpty ? "; none is known yet" : "; \(endpoints.count) are kept"
        sink(.failing("\(subject) \(text)\(kept)"))
    }

    private var subject: String { "upstream \(upstream): discovery by \(kind.rawValue)" }
}
